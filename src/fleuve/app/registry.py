"""All settings that exist, collected from the rooms that read them.

The engine's `SettingTable` is this. Rows are looked up by scope and name; a name that is none gets the advice that a
person needs who typed it wrong, or brought it from an older Kafka.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import cache

from fleuve.app.settings import (
    consumer_groups,
    controller,
    coordinators,
    group,
    own,
    plugins,
    quotas,
    remote,
    replication,
    sasl,
    server,
    share_groups,
    storage,
    streams_groups,
    tls,
    topic,
    transactions,
)
from fleuve.base.setting import Scope, Setting
from fleuve.engine.access import settings as access
from fleuve.engine.brokers import settings as brokers
from fleuve.engine.groups import settings as groups
from fleuve.engine.log import settings as log
from fleuve.engine.maintenance import settings as maintenance
from fleuve.engine.producers import settings as producers
from fleuve.engine.topics import settings as topics
from fleuve.kafka import settings as kafka
from fleuve.web import settings as web

ROOMS = (
    access,
    brokers,
    groups,
    kafka,
    log,
    maintenance,
    own,
    producers,
    topics,
    web,
    consumer_groups,
    controller,
    coordinators,
    group,
    plugins,
    quotas,
    remote,
    replication,
    sasl,
    server,
    share_groups,
    storage,
    streams_groups,
    tls,
    topic,
    transactions,
)
"""The modules that have `SETTINGS`."""

_REMOVED_IN_4 = (
    "zookeeper.",
    "control.plane.listener.name",
    "delegation.token.master.key",
    "inter.broker.protocol.version",
    "log.message.downconversion.enable",
    "log.message.format.version",
    "log.message.timestamp.difference.max.ms",
    "message.downconversion.enable",
    "message.format.version",
    "message.timestamp.difference.max.ms",
    "password.encoder.",
    "broker.id.generation.enable",
    "reserved.broker.max.id",
)
"""Names, and beginnings of names, that older Kafkas had."""

LISTENER_PREFIX = re.compile(r"listener\.name\.[^.]+\.(?P<rest>.+)")
"""A setting for one listener (and one SASL mechanism)."""


class Registry:
    """All settings by scope and name."""

    def __init__(self, rows: Iterable[Setting]) -> None:
        self._rows: dict[Scope, dict[str, Setting]] = {scope: {} for scope in Scope}
        for row in rows:
            assert row.name not in self._rows[row.scope], f"{row.scope} setting {row.name} has two rows"
            self._rows[row.scope][row.name] = row
        self._sorted = {scope: tuple(row for _, row in sorted(rows.items())) for scope, rows in self._rows.items()}

    def find(self, scope: Scope, name: str) -> Setting | None:
        """Return the row of a setting, or None if there is no such name."""
        return self._rows[scope].get(name)

    def find_for_listener(self, name: str) -> Setting | None:
        """Return the broker setting that `listener.name.<listener>.[<mechanism>.]<setting>` is about."""
        match = LISTENER_PREFIX.fullmatch(name)
        if match is None:
            return None
        rest = match["rest"]
        # The mechanism comes before the setting: plain.sasl.jaas.config.
        return self.find(Scope.BROKER, rest) or self.find(Scope.BROKER, rest.partition(".")[2])

    def of(self, scope: Scope) -> Sequence[Setting]:
        """Return the rows of a scope, by name."""
        return self._sorted[scope]

    def advice(self, name: str) -> str:
        """Return what to do about a broker setting that does not exist, as the end of a sentence."""
        row = self.find(Scope.TOPIC, name)
        if row is not None:
            default = f"; its default for all topics is {row.synonyms[0]}" if row.synonyms else ""
            return f"it is a setting of a topic{default}"
        if self.find(Scope.GROUP, name) is not None:
            return "it is a setting of a group"
        if name.startswith(_REMOVED_IN_4):
            return "Apache Kafka 4 has it no more; remove it"
        near = get_close_matches(name, self._rows[Scope.BROKER], n=3, cutoff=0.75)
        return f"did you mean {' or '.join(near)}?" if near else "remove it, or see docs/reference/settings.md"


@cache
def registry() -> Registry:
    """Return the registry of all settings."""
    return Registry(row for room in ROOMS for row in room.SETTINGS)
