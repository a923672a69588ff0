"""Quotas and their measuring windows: accepted."""

from __future__ import annotations

from fleuve.app.settings.rows import CLUSTER_WIDE, INT, LONG, accepted
from fleuve.base.setting import AtLeast, Setting

_NO_QUOTAS = "there are no quotas in this version."

SETTINGS: tuple[Setting, ...] = (
    accepted(
        "alter.log.dirs.replication.quota.window.num",
        INT,
        "11",
        "Samples over which moves between log directories are measured.",
        _NO_QUOTAS,
        check=AtLeast(1),
    ),
    accepted(
        "alter.log.dirs.replication.quota.window.size.seconds",
        INT,
        "1",
        "Length of one sample of moves between log directories.",
        _NO_QUOTAS,
        check=AtLeast(1),
    ),
    accepted(
        "controller.quota.window.num",
        INT,
        "11",
        "Samples over which changes of topics are measured.",
        _NO_QUOTAS,
        check=AtLeast(1),
    ),
    accepted(
        "controller.quota.window.size.seconds",
        INT,
        "1",
        "Length of one sample of changes of topics.",
        _NO_QUOTAS,
        check=AtLeast(1),
    ),
    accepted(
        "follower.replication.throttled.rate",
        LONG,
        "9223372036854775807",
        "Bytes per second that a follower may fetch for throttled replicas.",
        _NO_QUOTAS,
        check=AtLeast(0),
        mode=CLUSTER_WIDE,
        internal=True,
    ),
    accepted(
        "leader.replication.throttled.rate",
        LONG,
        "9223372036854775807",
        "Bytes per second that a leader may send to throttled replicas.",
        _NO_QUOTAS,
        check=AtLeast(0),
        mode=CLUSTER_WIDE,
        internal=True,
    ),
    accepted(
        "max.connection.creation.rate",
        INT,
        "2147483647",
        "New connections per second.",
        _NO_QUOTAS,
        check=AtLeast(0),
        mode=CLUSTER_WIDE,
    ),
    accepted(
        "quota.window.num", INT, "11", "Samples over which client quotas are measured.", _NO_QUOTAS, check=AtLeast(1)
    ),
    accepted(
        "quota.window.size.seconds", INT, "1", "Length of one sample of client quotas.", _NO_QUOTAS, check=AtLeast(1)
    ),
    accepted(
        "replica.alter.log.dirs.io.max.bytes.per.second",
        LONG,
        "9223372036854775807",
        "Bytes per second that moves between log directories may use.",
        _NO_QUOTAS,
        check=AtLeast(0),
        mode=CLUSTER_WIDE,
        internal=True,
    ),
    accepted(
        "replication.quota.window.num",
        INT,
        "11",
        "Samples over which replication is measured.",
        _NO_QUOTAS,
        check=AtLeast(1),
    ),
    accepted(
        "replication.quota.window.size.seconds",
        INT,
        "1",
        "Length of one sample of replication.",
        _NO_QUOTAS,
        check=AtLeast(1),
    ),
)
