"""Write `docs/reference/protocol.md` from the handlers: their `Api` objects and their docstrings.

python tools/gen_protocol_page.py           write it
python tools/gen_protocol_page.py --check   exit with 1 if it is not what would be written
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parent))

from fleuve.kafka import handlers
from fleuve.kafka.api import Api
from generated_page import finish

PAGE = "reference/protocol.md"

HEAD = """\
# Protocol

The APIs that the broker answers, with the versions that it tells clients in ApiVersions. Ranges are those of Apache
Kafka 4.3. What is said here of each API stands at the head of its handler in `src/fleuve/kafka/handlers/`; an API
that is not in the table is not known to the broker. How the whole differs from Apache Kafka is said in
[Differences from Apache Kafka](../differences-from-kafka.md).
"""

SECTIONS = ("Behaviour", "Versions", "Differs from Apache Kafka")


def found() -> list[tuple[Api, ModuleType]]:
    """Return every API with its handler's module, by key."""
    names = [f"{handlers.__name__}.{info.name}" for info in pkgutil.iter_modules(handlers.__path__)]
    modules = [module for module in map(importlib.import_module, names) if hasattr(module, "API")]
    return sorted(((module.API, module) for module in modules), key=lambda pair: pair[0].key)


def versions(api: Api) -> str:
    """Return the advertised versions, and the served ones where they differ."""
    span = f"{api.version_min}–{api.version_max}" if api.version_min < api.version_max else f"{api.version_min}"
    if api.served_min is not None and api.served_min != api.version_min:
        span += f" ({api.served_min}–{api.version_max} served)"
    return span


def specification(module: ModuleType) -> str:
    """Return the part of a handler's docstring that is meant for users, as Markdown."""
    lines: list[str] = []
    section = None
    for line in (module.__doc__ or "").splitlines()[1:]:
        heading = re.match(rf"({'|'.join(SECTIONS)}):\s*(.*)", line)
        if heading:
            section = heading[1]
            lines += ["", f"**{section}.** {heading[2]}".rstrip(), *([] if heading[2] else [""])]
        elif not line.strip() and section == SECTIONS[-1]:
            section = None  # What follows the last section is for readers of the code.
        elif section is not None and line.strip():
            lines.append(re.sub(r"^\* ", "- ", line))
    return "\n".join(lines).strip()


def page() -> str:
    """Return the page's text."""
    apis = found()
    rows = [
        f"| {api.key} | [{api.name}](#{api.name.lower()}) | {versions(api)} | {api.codec.FLEXIBLE} |" for api, _ in apis
    ]
    table = "\n".join(["| key | API | versions | flexible from |", "|---|---|---|---|", *rows])
    parts = [f"## {api.name}\n\n{specification(module)}" for api, module in apis]
    return "\n\n".join([HEAD.strip(), table, *parts])


if __name__ == "__main__":
    sys.exit(finish(PAGE, page()))
