"""Write the generated part of `docs/differences-from-kafka.md`: what handlers and settings say of themselves.

python tools/gen_differences_page.py           write it
python tools/gen_differences_page.py --check   exit with 1 if it is not what would be written

The rest of the page, above the mark, is written by hand.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parent))

from fleuve.app.registry import registry
from fleuve.base.setting import Scope
from gen_protocol_page import found

PAGE = Path(__file__).parent.parent / "docs/differences-from-kafka.md"
MARK = "<!-- Generated from here on by `python tools/gen_differences_page.py`. -->"

# Said once for all of them, by hand.
EVERYWHERE = re.compile(r"[;,]?\s*(\bno quota, so )?\bthrottle time is always 0(?=[.;])", re.IGNORECASE)


def difference(module: ModuleType) -> str:
    """Return how a handler says that it differs, as one paragraph; empty if only in what is said of all."""
    _, _, rest = (module.__doc__ or "").partition("\nDiffers from Apache Kafka:")
    text = " ".join(rest.partition("\n\n")[0].split())
    text = re.sub(r"(^|\. )[.;]\s*", r"\1", EVERYWHERE.sub("", text)).replace("..", ".").strip(" .;")
    return text[:1].upper() + text[1:] + "." if text else ""


def generated() -> str:
    """Return the generated part."""
    apis = [f"- **{api.name}** ({api.key}): {text}" for api, module in found() if (text := difference(module))]
    rows = [row for scope in (Scope.TOPIC, Scope.BROKER, Scope.GROUP) for row in registry().of(scope) if row.differs]
    settings = [f"- `{row.name}` ({row.scope}): {row.differs}" for row in rows]
    parts = ["## API by API", "\n".join(apis), "## Setting by setting", "\n".join(settings)]
    return "\n\n".join([MARK, *parts]) + "\n"


def main() -> int:
    """Write or compare the page; return the exit code."""
    text = PAGE.read_text()
    wanted = text.partition(MARK)[0].rstrip() + "\n\n" + generated()
    if sys.argv[1:] != ["--check"]:
        PAGE.write_text(wanted)
    elif text != wanted:
        print(f"docs/{PAGE.name} is out of date: run python tools/{Path(__file__).name}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
