"""Groups of the consumer protocol (KIP-848): accepted."""

from __future__ import annotations

from fleuve.app.settings.rows import CLUSTER_WIDE, INT, LIST, STRING, accepted
from fleuve.base.setting import AtLeast, OneOf, Setting

_CLASSIC_ONLY = "this version has the classic group protocol alone."

SETTINGS: tuple[Setting, ...] = (
    accepted(
        "group.consumer.assignment.interval.ms",
        INT,
        "1000",
        "The time between two assignments of consumer groups.",
        _CLASSIC_ONLY,
        check=AtLeast(0),
        mode=CLUSTER_WIDE,
    ),
    accepted(
        "group.consumer.assignors",
        LIST,
        "uniform,range",
        "Assignors of consumer groups, the first is the default.",
        _CLASSIC_ONLY,
    ),
    accepted(
        "group.consumer.heartbeat.interval.ms",
        INT,
        "5000",
        "The interval of heartbeats of consumer groups.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
    accepted(
        "group.consumer.max.assignment.interval.ms",
        INT,
        "15000",
        "The longest time between two assignments that a consumer group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(0),
    ),
    accepted(
        "group.consumer.max.heartbeat.interval.ms",
        INT,
        "15000",
        "The longest interval of heartbeats that a consumer group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
    accepted(
        "group.consumer.max.session.timeout.ms",
        INT,
        "60000",
        "The longest session time-out that a consumer group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
    accepted(
        "group.consumer.max.size",
        INT,
        "2147483647",
        "Most members of a consumer group.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
    accepted(
        "group.consumer.migration.policy",
        STRING,
        "bidirectional",
        "Whether groups change between the classic and the consumer protocol while they run.",
        _CLASSIC_ONLY,
        check=OneOf("DISABLED", "DOWNGRADE", "UPGRADE", "BIDIRECTIONAL", any_case=True),
    ),
    accepted(
        "group.consumer.min.assignment.interval.ms",
        INT,
        "0",
        "The shortest time between two assignments that a consumer group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(0),
    ),
    accepted(
        "group.consumer.min.heartbeat.interval.ms",
        INT,
        "5000",
        "The shortest interval of heartbeats that a consumer group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
    accepted(
        "group.consumer.min.session.timeout.ms",
        INT,
        "45000",
        "The shortest session time-out that a consumer group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
    accepted(
        "group.consumer.regex.refresh.interval.ms",
        INT,
        "600000",
        "How often subscriptions by pattern are resolved again.",
        _CLASSIC_ONLY,
        check=AtLeast(10000),
        internal=True,
    ),
    accepted(
        "group.consumer.session.timeout.ms",
        INT,
        "45000",
        "The session time-out of consumer groups.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
)
