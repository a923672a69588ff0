"""Write `docs/reference/clients.md` from what the scenarios of `tests/clients` were run with.

python tools/gen_clients_page.py           write it
python tools/gen_clients_page.py --check   exit with 1 if it is not what would be written
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from generated_page import finish

PAGE = "reference/clients.md"
RESULTS = Path(__file__).parent.parent / "tests" / "clients" / "results.json"
LEFT_OUT = "left out"

HEAD = """\
# Clients

The same scenarios run with every client below, each at the version shown and with its default settings; only what a
scenario is about is set. `make test` runs those in Python and kcat, `make compat` the others, and each run is compared
with this page. With `FLEUVE_TEST_BOOTSTRAP` they run against another broker: they pass against Apache Kafka 4.3, too
(those with crashes need a broker of their own, and do not run there).
"""

MATRIX = """\
## What was run

✓ passed; with a number, the client lacks something, and the scenario went another way or left that part out; — the
client cannot do it at all. The numbers are explained below.

Each scenario begins with a topic that the client creates. Records of every shape are sent and read back: with and
without key, value and headers, null and empty, of 900 KB that compress well and that do not; librdkafka reads what was
written, too. A group has three members when a fourth joins and then the first leaves, while records come in; each
commits what it read, and nothing is left out. To find a place by time is to ask for the offset of a time and to seek.
"""

TOOLS = """\
## Apache Kafka's command-line tools

Called as `bin/kafka-*.sh` does; what they print and their exit status are read for their meaning, and are the same with
Apache Kafka 4.3. Tools that are not here are for what is [not here yet](../differences-from-kafka.md#not-here-yet).
"""

Row = dict[str, Any]


def numbers(rows: dict[str, Row]) -> dict[tuple[str, str], int]:
    """Return the number of each client's shortcomings."""
    pairs = [(client, mark) for client, row in rows.items() for mark in row["lacks"]]
    return {pair: number for number, pair in enumerate(pairs, 1)}


def cell(client: str, row: Row, scenario: str, notes: dict[tuple[str, str], int]) -> str:
    """Return what became of a scenario with a client."""
    if scenario not in row["ran"]:
        return ""
    marks = row["ran"][scenario]
    found = ", ".join(str(notes[client, mark]) for mark in marks if mark != LEFT_OUT)
    sign = "—" if LEFT_OUT in marks else "✓"
    return f"{sign} {found}".rstrip()


def table(head: list[str], lines: list[list[str]]) -> str:
    """Return a table."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ["---"] * len(head), *lines])


def page() -> str:
    """Return the page's text."""
    everything: dict[str, Row] = json.loads(RESULTS.read_text())
    rows = {name: row for name, row in everything.items() if "tool" not in row}
    notes = numbers(rows)
    times = Counter(scenario for row in rows.values() for scenario in row["ran"])
    common = [scenario for scenario, count in times.items() if count > 1]
    parts = [HEAD]
    parts.append(
        table(["client", "version", "runs on"], [[name, row["version"], row["runtime"]] for name, row in rows.items()])
    )
    parts.append("\n" + MATRIX)
    lines = [[scenario, *(cell(name, row, scenario, notes) for name, row in rows.items())] for scenario in common]
    parts.append(table(["scenario", *rows], lines))
    parts.append("\n## What a client cannot do itself\n")
    parts += [f"{number}. {client}, {mark}: {rows[client]['lacks'][mark]}." for (client, mark), number in notes.items()]
    parts.append("\n## What was run with one client alone\n")
    parts += [
        f"- {client}: {scenario}" for client, row in rows.items() for scenario in row["ran"] if times[scenario] == 1
    ]
    parts.append("\n" + TOOLS)
    for name, row in everything.items():
        if "tool" in row:
            parts.append(f"**{name}** {row['version']}\n")
            parts += [f"- {what}" for what in row["ran"]]
            parts.append("")
    return "\n".join(parts).rstrip() + "\n"


if __name__ == "__main__":
    sys.exit(finish(PAGE, page()))
