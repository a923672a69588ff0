"""Write `docs/reference/settings.md` from the settings' rows.

python tools/gen_settings_page.py           write it
python tools/gen_settings_page.py --check   exit with 1 if it is not what would be written
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from fleuve.app.registry import registry
from fleuve.app.sources import ENVIRONMENT_IGNORED
from fleuve.base.setting import Scope, Setting, Status, UpdateMode
from generated_page import finish

PAGE = "reference/settings.md"

HEAD = """\
# Settings

All settings of brokers, topics and groups. Names, types, defaults and bounds are those of Apache Kafka 4.3; what
differs is said beside the setting. Where values come from, and which one wins, is said in
[Configuration](../configuration.md).

- *Honoured* settings have Kafka's meaning.
- *Accepted* settings are stored, validated and shown, without effect; each is one warning at start if it is set.
- *Refused* settings may only have their default; anything else is an error that gives the reason.

A broker setting that is said to change *while it runs* can be changed with AlterConfigs and IncrementalAlterConfigs,
for one broker or, unless *each broker by itself* is said, for all of them. By default *empty* means the empty text or
list. `listener.name.NAME.SETTING` is accepted for every broker setting, and has no effect: listeners have no settings
of their own."""

ENVIRONMENT = """\
## Variables that are ignored

Variables of the environment that begin with `KAFKA_` are settings, except these, which Apache Kafka's image keeps back
or which are meant for clients: {names}. So are those that Kubernetes makes for a service whose name begins with kafka
(`KAFKA_SERVICE_HOST`, `KAFKA_PORT_9092_TCP`, …)."""

CHANGES = {
    UpdateMode.READ_ONLY: "at start",
    UpdateMode.PER_BROKER: "while it runs, each broker by itself",
    UpdateMode.CLUSTER_WIDE: "while it runs",
}


def cell(text: str) -> str:
    """Return text that may stand in a table."""
    return text.replace("|", "\\|")


def default_of(row: Setting) -> str:
    """Return what a row says of its default."""
    if row.default is None:
        return "no default"
    # Long lists would make the table unreadable if they could not be broken.
    return "by default " + (f"`{row.default.replace(',', ', ')}`" if row.default else "empty")


def kind_of(row: Setting) -> str:
    """Return a row's type and what it allows."""
    return f"{row.type}, {row.check}" if row.check is not None and not callable_check(row) else str(row.type)


def callable_check(row: Setting) -> bool:
    """Return whether a check is a plain function, which has no words for what it allows."""
    return hasattr(row.check, "__name__")


def told(row: Setting) -> str:
    """Return what the page says of a row."""
    parts = [row.doc]
    if row.scope is not Scope.BROKER and row.synonyms and row.synonyms != (row.name,):
        parts.append("Default of all: " + ", ".join(f"`{name}`" for name in row.synonyms) + ".")
    if row.differs:
        parts.append(f"*Differs:* {row.differs}")
    return " ".join(parts)


def table(rows: Iterable[Setting], *, changes: bool = False) -> str:
    """Return a table of rows; with `changes`, it says when each may change.

    What is short stands below the name: more columns would leave no room for the words.
    """
    lines = ["| setting | what it is |", "|---|---|"]
    for row in rows:
        facts = [kind_of(row), default_of(row)]
        if changes:
            facts.append("at start; in Kafka while it runs" if row.fixed_at_start else CHANGES[row.update_mode])
        lines.append(f"| `{row.name}`<br>{cell('; '.join(facts))} | {cell(told(row))} |")
    return "\n".join(lines)


def by_reason(rows: Iterable[Setting]) -> str:
    """Return a table for each reason, the reason above it."""
    groups: dict[str, list[Setting]] = {}
    for row in rows:
        groups.setdefault(row.reason, []).append(row)
    return "\n\n".join(f"{reason[:1].upper()}{reason[1:]}\n\n{table(group)}" for reason, group in groups.items())


def page() -> str:
    """Return the page's text."""
    rows = [row for scope in (Scope.TOPIC, Scope.BROKER, Scope.GROUP) for row in registry().of(scope)]

    def chosen(status: Status, *scopes: Scope) -> list[Setting]:
        return [row for row in rows if row.status is status and row.scope in scopes and not ours(row)]

    def ours(row: Setting) -> bool:
        return row.name.startswith("fleuve.")

    counts = {status: sum(row.status is status for row in rows) for status in Status}
    numbers = ", ".join(f"{count} {status}" for status, count in counts.items())
    names = ", ".join(f"`{name}`" for name in sorted(ENVIRONMENT_IGNORED))
    parts = [
        HEAD,
        f"There are {len(rows)}: {numbers}.",
        "## Fleuve's own",
        table((row for row in rows if ours(row)), changes=True),
        "## Topics: honoured",
        table(chosen(Status.HONOURED, Scope.TOPIC)),
        "## Brokers: honoured",
        table(chosen(Status.HONOURED, Scope.BROKER), changes=True),
        "## Topics: accepted",
        by_reason(chosen(Status.ACCEPTED, Scope.TOPIC)),
        "## Groups: accepted",
        by_reason(chosen(Status.ACCEPTED, Scope.GROUP)),
        "## Brokers: accepted",
        by_reason(chosen(Status.ACCEPTED, Scope.BROKER)),
        "## Refused",
        by_reason(chosen(Status.REFUSED, *Scope)),
        ENVIRONMENT.format(names=names),
    ]
    return "\n\n".join(parts)


if __name__ == "__main__":
    sys.exit(finish(PAGE, page()))
