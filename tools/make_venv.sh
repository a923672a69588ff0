#!/bin/sh
# Make a virtual environment with the first suitable Python: $PYTHON, or what is found on PATH.
# Usage: make_venv.sh DIRECTORY
set -eu

venv=$1
wanted='import sys; sys.exit(sys.version_info < (3, 11))'

if [ -x "$venv/bin/python" ] && "$venv/bin/python" -c "$wanted; import pip" 2>/dev/null; then
    exit 0
fi

old=''
for python in ${PYTHON:-python3.11 /usr/bin/python3.11 python3.12 python3.13 python3.14 python3 /usr/bin/python3}; do
    command -v "$python" >/dev/null 2>&1 || continue
    if ! "$python" -c "$wanted" 2>/dev/null; then
        old=$python
    elif ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        echo "$python has no venv module: on Debian, install python3-venv (apt install python3-venv)" >&2
        exit 1
    else
        exec "$python" -m venv --clear "$venv"
    fi
done

if [ -n "$old" ]; then
    echo "$old is not usable here: Fleuve needs Python 3.11 or newer; name one with PYTHON=/path/to/python3" >&2
else
    echo "no Python found: Fleuve needs Python 3.11 or newer (on Debian: apt install python3 python3-venv)" >&2
fi
exit 1
