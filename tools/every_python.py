#!/usr/bin/env python3
"""Run the tests on every Python that Fleuve is for and this machine has, one after another, and say which it were.

    tools/every_python.py [ARGUMENT OF make pytest …]       PYTEST="-k fetch"

Pythons are looked for on PATH, under pyenv's versions and in /usr/bin. Each gets an environment of its own,
.venv-3.X beside .venv. A version that is not here is named at the end; it is no failure, unless there is none at all.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def supported() -> list[str]:
    """Return the versions that pyproject.toml names, oldest first."""
    found = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text())
    return sorted(set(found), key=lambda version: int(version.partition(".")[2]))


def interpreter(version: str) -> str | None:
    """Return a Python of that version that can make environments, or None."""
    name = f"python{version}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [
        shutil.which(name),
        f"/usr/bin/{name}",
        *map(str, sorted(pyenv.glob(f"versions/{version}.*/bin/{name}"))),
    ]
    for candidate in candidates:
        if candidate is None or not Path(candidate).exists():
            continue
        check = f"import sys, venv, ensurepip; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
        ran = subprocess.run([candidate, "-c", check], capture_output=True, check=False)
        if ran.returncode == 0:
            return candidate
    return None


def main(arguments: list[str]) -> int:
    """Run the tests on each version; return 1 if they fail on one."""
    results: list[str] = []
    failed = ran = 0
    for version in supported():
        python = interpreter(version)
        if python is None:
            results.append(f"Python {version}: not on this machine")
            continue
        began = time.perf_counter()
        environment = {**os.environ, "PYTHON": python}
        command = ["make", "-C", str(ROOT), "pytest", f"VENV={ROOT / f'.venv-{version}'}", *arguments]
        code = subprocess.run(command, env=environment, check=False).returncode
        ran += 1
        failed += code != 0
        results.append(
            f"Python {version}: {'failed' if code else 'passed'} in {time.perf_counter() - began:.0f} s ({python})"
        )
    print("\n".join(results))
    return 1 if failed or not ran else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
