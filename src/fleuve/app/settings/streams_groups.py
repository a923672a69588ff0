"""Groups of the streams protocol (KIP-1071): accepted."""

from __future__ import annotations

from fleuve.app.settings.rows import CLUSTER_WIDE, INT, accepted
from fleuve.base.setting import AtLeast, Setting

_CLASSIC_ONLY = "this version has the classic group protocol alone."

SETTINGS: tuple[Setting, ...] = (
    accepted(
        "group.streams.assignment.interval.ms",
        INT,
        "1000",
        "The time between two assignments of streams groups.",
        _CLASSIC_ONLY,
        check=AtLeast(0),
        mode=CLUSTER_WIDE,
    ),
    accepted(
        "group.streams.heartbeat.interval.ms",
        INT,
        "5000",
        "The interval of heartbeats of streams groups.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
    accepted(
        "group.streams.initial.rebalance.delay.ms",
        INT,
        "3000",
        "How long a new streams group waits for further members.",
        _CLASSIC_ONLY,
        check=AtLeast(0),
    ),
    accepted(
        "group.streams.max.assignment.interval.ms",
        INT,
        "15000",
        "The longest time between two assignments that a streams group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(0),
    ),
    accepted(
        "group.streams.max.heartbeat.interval.ms",
        INT,
        "15000",
        "The longest interval of heartbeats that a streams group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
    accepted(
        "group.streams.max.session.timeout.ms",
        INT,
        "60000",
        "The longest session time-out that a streams group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
    accepted(
        "group.streams.max.size", INT, "2147483647", "Most members of a streams group.", _CLASSIC_ONLY, check=AtLeast(1)
    ),
    accepted(
        "group.streams.max.standby.replicas",
        INT,
        "2",
        "Most standby copies that a streams group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(0),
    ),
    accepted(
        "group.streams.min.assignment.interval.ms",
        INT,
        "0",
        "The shortest time between two assignments that a streams group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(0),
    ),
    accepted(
        "group.streams.min.heartbeat.interval.ms",
        INT,
        "5000",
        "The shortest interval of heartbeats that a streams group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
    accepted(
        "group.streams.min.session.timeout.ms",
        INT,
        "45000",
        "The shortest session time-out that a streams group may ask for.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
    accepted(
        "group.streams.num.standby.replicas",
        INT,
        "0",
        "Standby copies of each streams task.",
        _CLASSIC_ONLY,
        check=AtLeast(0),
    ),
    accepted(
        "group.streams.session.timeout.ms",
        INT,
        "45000",
        "The session time-out of streams groups.",
        _CLASSIC_ONLY,
        check=AtLeast(1),
    ),
)
