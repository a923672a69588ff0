"""What a request to change configs comes to: pure rules and Kafka's words, no storage.

`edited` gives the overrides a resource would have; `check_*` refuse what is not allowed. The order of the checks is
Apache Kafka's. A change that is refused changes nothing of its resource.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from fleuve.base.errors import FleuveError, Verdict
from fleuve.base.setting import InvalidConfig, Scope, Setting, Status, UpdateMode, ValueType, canonical, parse
from fleuve.engine.topics.resolution import Resolver, SettingTable
from fleuve.ports.configs import ResourceType


class InvalidConfigRequest(FleuveError, verdict=Verdict.REJECT):
    """The request itself is wrong: a resource that cannot be, a name twice, a setting that is fixed at start."""


class Operation(IntEnum):
    """What an incremental change does with a setting, by Kafka's codes (KIP-339)."""

    SET = 0
    DELETE = 1
    APPEND = 2
    SUBTRACT = 3


@dataclass(frozen=True, slots=True)
class Change:
    """One incremental change."""

    name: str
    operation: Operation
    value: str | None = None


@dataclass(frozen=True, slots=True)
class Replacement:
    """These overrides and no others: what AlterConfigs asks for."""

    values: tuple[tuple[str, str | None], ...]


Edit = Sequence[Change] | Replacement
"""What is to become of a resource's overrides."""


SCOPES = {
    ResourceType.TOPIC: Scope.TOPIC,
    ResourceType.BROKER: Scope.BROKER,
    ResourceType.GROUP: Scope.GROUP,
}

GROUP_BOUNDS = {
    f"{protocol}.{what}.ms": f"group.{protocol}.{{}}.{what}.ms"
    for protocol in ("consumer", "share", "streams")
    for what in ("session.timeout", "heartbeat.interval", "assignment.interval")
} | {
    "share.record.lock.duration.ms": "group.share.{}.record.lock.duration.ms",
    "share.delivery.count.limit": "group.share.{}.delivery.count.limit",
    "share.partition.max.record.locks": "group.share.{}.partition.max.record.locks",
    "streams.num.standby.replicas": "group.streams.{}.standby.replicas",
}
"""The broker settings that bound a group's: `{}` is "min" or "max"."""


def edited(
    kind: ResourceType, before: Mapping[str, str], edit: Edit, *, table: SettingTable, resolver: Resolver
) -> dict[str, str]:
    """Return the overrides after `edit`. Raises InvalidConfigRequest, InvalidConfig."""
    if isinstance(edit, Replacement):
        _check_twice([name for name, _ in edit.values])
        _check_null([name for name, value in edit.values if value is None])
        return {name: value for name, value in edit.values if value is not None}
    _check_twice([change.name for change in edit])
    _check_null([change.name for change in edit if change.operation != Operation.DELETE and change.value is None])
    after = dict(before)
    for change in edit:
        match change.operation:
            case Operation.SET:
                assert change.value is not None
                after[change.name] = change.value
            case Operation.DELETE:
                after.pop(change.name, None)
            case _:
                row = _list_row(kind, change, table=table)
                after[change.name] = _list_changed(row, after, change, kind=kind, resolver=resolver)
    return after


def _check_twice(names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        raise InvalidConfigRequest("Error due to duplicate config keys")


def _check_null(names: Sequence[str]) -> None:
    if names:
        raise InvalidConfigRequest(f"Null value not supported for : {','.join(names)}")


def _list_row(kind: ResourceType, change: Change, *, table: SettingTable) -> Setting:
    name, operation = change.name, change.operation.name
    row = table.find(SCOPES[kind], name)
    if row is not None and row.type is ValueType.LIST:
        return row
    if kind is not ResourceType.BROKER:
        raise InvalidConfig(f"Can't {operation} to key {name} because its type is not LIST.")
    if row is None:
        raise InvalidConfig(f"Unknown config name: {name}")
    raise InvalidConfig(f"Config value {operation.lower()} is not allowed for config key: {name}")


def _list_changed(
    row: Setting, before: Mapping[str, str], change: Change, *, kind: ResourceType, resolver: Resolver
) -> str:
    if row.name in before:
        text = before[row.name]
    elif kind is ResourceType.BROKER:
        text = resolver.broker_text(row.name) or ""
    else:
        text = resolver.inherited_text(row) or ""
    words = [word.strip() for word in text.split(",") if word.strip()]
    # Nothing at all is an empty word here, which no list may have.
    given = [word.strip() for word in (change.value or "").split(",")]
    if change.operation is Operation.APPEND:
        return ",".join([*words, *(word for word in dict.fromkeys(given) if word not in words)])
    return ",".join(word for word in words if word not in given)


# ---------------------------------------------------------------- what is allowed


def check_topic(overrides: Mapping[str, str], *, table: SettingTable, resolver: Resolver) -> None:
    """Raise InvalidConfig unless a topic may have these overrides."""
    for name, text in overrides.items():
        row = table.find(Scope.TOPIC, name)
        if row is None:
            raise InvalidConfig(f"Unknown topic config name: {name}")
        parse(row, text)
        if row.status is Status.REFUSED and canonical(row, text) != row.default:
            raise InvalidConfig(row.reason)
    lags = []
    for name in ("min.compaction.lag.ms", "max.compaction.lag.ms"):
        row = table.find(Scope.TOPIC, name)
        assert row is not None
        lags.append(int(resolver.text(row, overrides) or 0))
    if lags[0] > lags[1]:
        raise InvalidConfig(
            f"conflict topic config setting min.compaction.lag.ms ({lags[0]}) > max.compaction.lag.ms ({lags[1]})"
        )


def check_group(overrides: Mapping[str, str], *, table: SettingTable, resolver: Resolver) -> None:
    """Raise InvalidConfig unless a group may have these overrides."""
    for name, text in overrides.items():
        row = table.find(Scope.GROUP, name)
        if row is None:
            raise InvalidConfig(f"Unknown group config name: {name}")
        value = parse(row, text)
        if name not in GROUP_BOUNDS:
            continue
        assert isinstance(value, int)
        low, high = (GROUP_BOUNDS[name].format(word) for word in ("min", "max"))
        if table.find(Scope.BROKER, low) is not None and value < int(resolver.broker_text(low) or value):
            raise InvalidConfig(f"{name} must be greater than or equal to {low}")
        if table.find(Scope.BROKER, high) is not None and value > int(resolver.broker_text(high) or value):
            raise InvalidConfig(f"{name} must be less than or equal to {high}")
    for protocol in ("consumer", "share", "streams"):
        session, heartbeat = (f"{protocol}.{what}.ms" for what in ("session.timeout", "heartbeat.interval"))
        rows = [table.find(Scope.GROUP, name) for name in (session, heartbeat)]
        times = [int(resolver.text(row, overrides) or 0) for row in rows if row is not None]
        if len(times) == len(rows) and times[0] <= times[1]:
            raise InvalidConfig(f"{session} must be greater than {heartbeat}")


def check_broker(
    before: Mapping[str, str], after: Mapping[str, str], *, all_brokers: bool, table: SettingTable
) -> None:
    """Raise InvalidConfigRequest or InvalidConfig unless a broker (or all of them) may change to these overrides.

    Names that stay as they are aren't checked again.
    """
    touched = {name: text for name, text in after.items() if before.get(name) != text}
    rows = {name: table.find(Scope.BROKER, name) for name in touched}
    unknown = [name for name, row in rows.items() if row is None]
    if unknown:
        raise InvalidConfig(f"Unknown broker config name: {unknown[0]}")
    known = {name: row for name, row in rows.items() if row is not None}
    fixed = [name for name, row in known.items() if row.update_mode is UpdateMode.READ_ONLY or row.fixed_at_start]
    if fixed:
        raise InvalidConfigRequest(f"Cannot update these configs dynamically: [{', '.join(fixed)}]")
    own = [name for name, row in known.items() if row.update_mode is UpdateMode.PER_BROKER]
    if own and all_brokers:
        raise InvalidConfigRequest(
            f"Cannot update these configs at default cluster level, broker id must be specified: [{', '.join(own)}]"
        )
    for name, row in known.items():
        try:
            value = parse(row, touched[name])
        except InvalidConfig as error:
            # For brokers Kafka answers INVALID_REQUEST where it answers INVALID_CONFIG for topics.
            raise InvalidConfigRequest(str(error)) from None
        if row.status is Status.REFUSED and canonical(row, touched[name]) != row.default:
            raise InvalidConfig(f"{name} is not supported: {row.reason}")
        if name == "log.retention.ms" and value == 0:
            raise InvalidConfigRequest("log.retention.ms must be unlimited (-1) or, greater than or equal to 1")
