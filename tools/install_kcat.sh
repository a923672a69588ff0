#!/bin/sh
# Provide kcat for the tests: what is on PATH, else Debian's package, installed as root or unpacked into a directory.
# Usage: install_kcat.sh DIRECTORY; the directory's bin/ belongs on PATH.
# Without kcat its tests are skipped; where CI is set, its absence is a failure.
set -u

directory=$1

command -v kcat >/dev/null 2>&1 && exit 0

apt() {
    DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends "$@"
}

install_as_root() {
    apt install kcat || { apt update && apt install kcat; }
}

# No root needed: the packages that this machine lacks are downloaded and unpacked, not installed.
unpack() {
    mkdir -p "$directory/lists/partial" "$directory/cache/archives/partial" "$directory/root" "$directory/bin" &&
        cd "$directory" || return 1
    missing=$(apt -s install kcat 2>/dev/null | awk '/^Inst / { print $2 }')
    set --
    if [ -z "$missing" ]; then # The machine has no package lists; keep some of our own.
        set -- -o "Dir::State::Lists=$directory/lists" -o "Dir::Cache=$directory/cache"
        apt "$@" update || return 1
        missing=$(apt "$@" -s install kcat | awk '/^Inst / { print $2 }')
    fi
    [ -n "$missing" ] || return 1
    # shellcheck disable=SC2086 # one word for each package
    apt "$@" download $missing || return 1
    for package in ./*.deb; do
        dpkg -x "$package" root || return 1
    done
    libraries=$(find "$directory/root" -name '*.so*' -exec dirname {} + | sort -u | paste -s -d :)
    cat >bin/kcat <<END
#!/bin/sh
LD_LIBRARY_PATH="$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" exec "$directory/root/usr/bin/kcat" "\$@"
END
    chmod +x bin/kcat && bin/kcat -V >/dev/null
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if command -v apt-get >/dev/null 2>&1; then
    if [ "$(id -u)" = 0 ]; then
        install_as_root >"$log" 2>&1 && exit 0
    else
        (unpack) >"$log" 2>&1 && exit 0
        rm -rf "$directory"
    fi
fi

tail -n 5 "$log" >&2
if [ -n "${CI:-}" ]; then
    echo "kcat is not here and could not be installed: its tests cannot run" >&2
    exit 1
fi
echo "kcat is not here and could not be installed: its tests will be skipped (on Debian: apt install kcat)" >&2
