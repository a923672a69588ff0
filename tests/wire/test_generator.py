"""The generated modules are what the generator writes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def test_the_generated_modules_are_what_the_generator_writes():
    done = subprocess.run(
        [sys.executable, "tools/gen_protocol.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_codecs_need_no_kio():
    code = (
        "import sys, importlib\n"
        "from fleuve.wire.apis import APIS\n"
        "assert not [m for m in sys.modules if m.startswith('fleuve.wire.generated')]\n"
        "for api in APIS.values(): importlib.import_module('fleuve.wire.generated.' + api.module)\n"
        "import fleuve.wire.header, fleuve.wire.framing\n"
        "print([m for m in sys.modules if m.split('.')[0] in ('kio', 'kafka', 'dataclasses', 'inspect', 'asyncio')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, env={"PYTHONPATH": "src"}
    )
    assert done.stdout.strip() == "[]"
