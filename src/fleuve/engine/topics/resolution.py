"""Which value of a setting is in force, and where it comes from: Kafka's order, as a pure function of its layers.

    topic or group override > this broker's dynamic value > all brokers' dynamic value > static > default

Static is what was given at start (flags, environment, file: already merged). A topic or group setting without an
override takes the value of its first broker synonym that has one. DescribeConfigs shows the whole chain; the oddities
of Apache Kafka's listing are kept (a chain that begins with another synonym is not shown at all).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple, Protocol

from fleuve.base.setting import Scope, Setting, Status, UpdateMode, ValueType, canonical


class ConfigSource(IntEnum):
    """Where a value comes from, by Kafka's codes."""

    TOPIC = 1
    DYNAMIC_BROKER = 2
    DYNAMIC_DEFAULT_BROKER = 3
    STATIC_BROKER = 4
    DEFAULT = 5
    GROUP = 8


class Synonym(NamedTuple):
    """One value that a setting has or would have, and where it stands."""

    name: str
    value: str | None
    """None where it is a secret."""
    source: ConfigSource


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigEntry:
    """One line of a description of configs."""

    name: str
    value: str | None
    source: ConfigSource
    type: ValueType
    read_only: bool
    sensitive: bool
    synonyms: tuple[Synonym, ...]
    """The value in force first, then what it hides."""
    doc: str


class SettingTable(Protocol):
    """All settings that exist; `app` has one."""

    def find(self, scope: Scope, name: str) -> Setting | None:
        """Return the row of a setting, or None if there is no such name."""
        ...

    def of(self, scope: Scope) -> Sequence[Setting]:
        """Return the rows of a scope, by name."""
        ...


UNITS_MS = {"hours": 3_600_000, "minutes": 60_000}
"""What one of a broker setting's unit is in milliseconds, by the last word of its name."""


class Resolver:
    """Answers what is in force, given the dynamic values of this broker and of all brokers (`set_dynamic`)."""

    def __init__(self, table: SettingTable, static: Mapping[str, str]) -> None:
        self._table = table
        self._static = static
        self._inherited: dict[Scope, list[ConfigEntry]] = {}
        """Entries of topics and groups without overrides: the same for all, until a dynamic value changes."""
        self.set_dynamic(this_broker={}, all_brokers={})

    def set_dynamic(self, *, this_broker: Mapping[str, str], all_brokers: Mapping[str, str]) -> None:
        """Replace the dynamic values."""
        self.this_broker = this_broker
        self.all_brokers = all_brokers
        self._inherited.clear()

    # -- broker settings

    def broker_text(self, name: str) -> str | None:
        """Return the text in force for a broker setting, None where it has no value. Raises KeyError if unknown."""
        for layer in (self.this_broker, self.all_brokers, self._static):
            if name in layer:
                return layer[name]
        setting = self._table.find(Scope.BROKER, name)
        if setting is None:
            raise KeyError(name)
        return setting.default

    def chain(self, name: str) -> tuple[Synonym, ...]:
        """Return the values of a broker setting and of its synonyms, from the first to the last in force."""
        setting = self._table.find(Scope.BROKER, name)
        names = (setting.synonyms if setting is not None else ()) or (name,)
        links = list(self._links(names))
        while links and links[0].name != name:
            del links[0]
        return tuple(links)

    def _links(self, names: Sequence[str]) -> Iterator[Synonym]:
        rows = [(name, self._table.find(Scope.BROKER, name)) for name in names]
        for layer, source in (
            (self.this_broker, ConfigSource.DYNAMIC_BROKER),
            (self.all_brokers, ConfigSource.DYNAMIC_DEFAULT_BROKER),
            (self._static, ConfigSource.STATIC_BROKER),
        ):
            for name, row in rows:
                if name in layer:
                    yield Synonym(name, _shown(row, layer[name]), source)
        for name, row in rows:
            if row is not None and row.default is not None:
                yield Synonym(name, _shown(row, row.default), ConfigSource.DEFAULT)

    def broker_entries(self) -> list[ConfigEntry]:
        """Return this broker's configs, by name: all but the internal ones that nobody set."""
        return [
            self._broker_entry(row)
            for row in self._table.of(Scope.BROKER)
            if not row.internal or self._is_set(row.name)
        ]

    def _is_set(self, name: str) -> bool:
        return name in self.this_broker or name in self.all_brokers or name in self._static

    def _broker_entry(self, row: Setting) -> ConfigEntry:
        return _entry(row, self.broker_text(row.name), self.chain(row.name))

    def all_brokers_entries(self) -> list[ConfigEntry]:
        """Return the dynamic configs of all brokers, by name: those that are set, and nothing else."""
        entries = []
        for row in self._table.of(Scope.BROKER):
            if row.name in self.all_brokers:
                text = self.all_brokers[row.name]
                link = Synonym(row.name, _shown(row, text), ConfigSource.DYNAMIC_DEFAULT_BROKER)
                entries.append(_entry(row, text, (link,)))
        return entries

    # -- topic and group settings

    def inherited_text(self, row: Setting) -> str | None:
        """Return the text that a topic or group setting has where it is not overridden."""
        for synonym in row.synonyms:
            if self._table.find(Scope.BROKER, synonym) is None:
                continue
            text = self.broker_text(synonym)
            if text is None:
                continue
            factor = UNITS_MS.get(synonym.rpartition(".")[2])
            if factor is not None:
                text = str(int(text) * factor)
            # Kafka takes any negative number as "no limit" in the broker's settings, and only −1 in a topic's.
            return "-1" if row.name in ("retention.ms", "retention.bytes") and int(text) < 0 else text
        return row.default

    def text(self, row: Setting, overrides: Mapping[str, str]) -> str | None:
        """Return the text in force for a topic or group setting."""
        return overrides[row.name] if row.name in overrides else self.inherited_text(row)

    def topic_entries(self, overrides: Mapping[str, str]) -> list[ConfigEntry]:
        """Return the configs of a topic with these overrides, by name."""
        return self._entries(Scope.TOPIC, ConfigSource.TOPIC, overrides)

    def group_entries(self, overrides: Mapping[str, str]) -> list[ConfigEntry]:
        """Return the configs of a group with these overrides, by name."""
        return self._entries(Scope.GROUP, ConfigSource.GROUP, overrides)

    def _entries(self, scope: Scope, source: ConfigSource, overrides: Mapping[str, str]) -> list[ConfigEntry]:
        inherited = self._inherited.get(scope)
        if inherited is None:
            inherited = self._inherited[scope] = [
                _entry(row, self.inherited_text(row), self._inherited_links(row))
                for row in self._table.of(scope)
                if not row.internal
            ]
        if not overrides:
            return list(inherited)
        entries = {entry.name: entry for entry in inherited}
        for name, text in overrides.items():
            row = self._table.find(scope, name)
            if row is not None:
                links = (Synonym(name, _shown(row, text), source), *self._inherited_links(row))
                entries[name] = _entry(row, text, links)
        return [entries[name] for name in sorted(entries)]

    def _inherited_links(self, row: Setting) -> tuple[Synonym, ...]:
        if not row.synonyms:
            return ()
        if self._table.find(Scope.BROKER, row.synonyms[0]) is None:
            # A group setting that no broker setting stands behind is listed as its own synonym.
            return (Synonym(row.name, row.default, ConfigSource.DEFAULT),)
        return self.chain(row.synonyms[0])


def _shown(row: Setting | None, text: str) -> str | None:
    if row is None or row.sensitive:
        return None
    return canonical(row, text)


def _entry(row: Setting, text: str | None, links: tuple[Synonym, ...]) -> ConfigEntry:
    return ConfigEntry(
        name=row.name,
        value=None if text is None else _shown(row, text),
        source=links[0].source if links else ConfigSource.DEFAULT,
        type=row.type,
        read_only=row.scope is Scope.BROKER and row.update_mode is UpdateMode.READ_ONLY,
        sensitive=row.sensitive,
        synonyms=links,
        doc=documentation(row),
    )


def documentation(row: Setting) -> str:
    """Return what DescribeConfigs says about a setting: what it is, and what Fleuve makes of it."""
    if row.status is Status.ACCEPTED:
        return f"{row.doc} Accepted without effect: {row.reason}"
    if row.status is Status.REFUSED:
        return f"{row.doc} Refused: {row.reason}"
    return row.doc
