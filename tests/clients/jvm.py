"""Java programs on Apache Kafka's own jars: those in `java/`, compiled when they are needed, once."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

_ROOT = Path(__file__).parents[2]
_SOURCES = Path(__file__).with_name("java")
_BUILT = _ROOT / ".compat" / "java"
# The quick compiler alone: no program here runs long enough for the other one to pay.
_OPTIONS = ("-Xmx512m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto")


@functools.cache
def kafka() -> dict[str, Any]:
    """Return what `tools/apache_kafka.py` knows, the jars being there; fail the test in one line if they cannot be."""
    known = runpy.run_path(str(_ROOT / "tools" / "apache_kafka.py"))
    done = subprocess.run(
        [sys.executable, str(_ROOT / "tools" / "apache_kafka.py"), "fetch"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.fail(done.stderr.strip(), pytrace=False)
    return known


@functools.cache
def _classes() -> Path:
    """Compile the programs if nobody did, and return where their classes are."""
    if shutil.which("javac") is None:
        pytest.fail("a JDK is needed: javac is not on the PATH", pytrace=False)
    sources = sorted(_SOURCES.glob("*.java"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    directory = _BUILT / digest
    _BUILT.mkdir(parents=True, exist_ok=True)
    with (_BUILT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (directory / "done").exists():
            command = ["javac", "-Xlint:all,-processing,-classfile,-path", "-Werror", "-cp", f"{kafka()['JARS']}/*"]
            done = subprocess.run(
                [*command, "-d", str(directory), *map(str, sources)], capture_output=True, text=True, check=False
            )
            if done.returncode:
                pytest.fail(done.stdout + done.stderr, pytrace=False)
            (directory / "done").touch()
    return directory


def command(program: str) -> list[str]:
    """Return the command that runs a program of `java/`; its arguments follow."""
    known = kafka()
    logging = f"-Dlog4j2.configurationFile={known['HOME'] / 'log4j2.xml'}"
    return ["java", *_OPTIONS, logging, "-cp", f"{_classes()}:{known['JARS']}/*", program]
