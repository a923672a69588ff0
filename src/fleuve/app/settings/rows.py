"""Short forms for rows that nobody reads, and the checks that only they need."""

from __future__ import annotations

import re
from collections.abc import Callable

from fleuve.base.setting import Scope, Setting, Status, UpdateMode, Value, ValueType

BOOLEAN = ValueType.BOOLEAN
CLASS = ValueType.CLASS
DOUBLE = ValueType.DOUBLE
INT = ValueType.INT
LIST = ValueType.LIST
LONG = ValueType.LONG
PASSWORD = ValueType.PASSWORD
SHORT = ValueType.SHORT
STRING = ValueType.STRING

READ_ONLY = UpdateMode.READ_ONLY
PER_BROKER = UpdateMode.PER_BROKER
CLUSTER_WIDE = UpdateMode.CLUSTER_WIDE


def accepted(
    name: str,
    type: ValueType,  # noqa: A002 (the column's name)
    default: str | None,
    doc: str,
    reason: str,
    *,
    check: Callable[[Value], str | None] | None = None,
    scope: Scope = Scope.BROKER,
    synonyms: tuple[str, ...] = (),
    mode: UpdateMode = READ_ONLY,
    internal: bool = False,
    status: Status = Status.ACCEPTED,
) -> Setting:
    """Return the row of a setting that is stored, validated and shown, without effect."""
    return Setting(
        name=name,
        scope=scope,
        type=type,
        default=default,
        doc=doc,
        status=status,
        reason=reason,
        check=check,
        synonyms=synonyms,
        update_mode=mode,
        sensitive=type is PASSWORD,
        internal=internal,
    )


def refused(
    name: str,
    type: ValueType,  # noqa: A002 (the column's name)
    default: str | None,
    doc: str,
    reason: str,
    *,
    check: Callable[[Value], str | None] | None = None,
    scope: Scope = Scope.BROKER,
    mode: UpdateMode = READ_ONLY,
    internal: bool = False,
) -> Setting:
    """Return the row of a setting that may only have its default."""
    return accepted(
        name,
        type,
        default,
        doc,
        reason,
        check=check,
        scope=scope,
        mode=mode,
        internal=internal,
        status=Status.REFUSED,
    )


_REPLICA = re.compile(r"([0-9]+:[0-9]+)?")
# An ISO 8601 duration as far as Java reads it: days, hours, minutes, seconds.
_DURATION = re.compile(
    r"by_duration:P(?=[0-9T])([0-9]+D)?(T(?=[0-9])([0-9]+H)?([0-9]+M)?([0-9]+([.,][0-9]{1,9})?S)?)?", re.IGNORECASE
)


def throttled_replicas(value: Value) -> str | None:
    """Allow `*`, or pairs of a partition and a broker; Kafka takes nothing for a pair, too."""
    assert isinstance(value, tuple)
    if value == ("*",) or all(_REPLICA.fullmatch(pair) for pair in value):
        return None
    return (
        "Value must be the literal '*' or a list of replicas in the following format: "
        "[partitionId]:[brokerId],[partitionId]:[brokerId],..."
    )


def offset_reset(value: Value) -> str | None:
    """Allow `latest`, `earliest` and `by_duration:` with a duration of ISO 8601."""
    assert isinstance(value, str)
    if value in ("latest", "earliest") or _DURATION.fullmatch(value):
        return None
    return "The value must be either 'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'."
