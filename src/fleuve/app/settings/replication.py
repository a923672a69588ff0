"""Replication between brokers: accepted. The engine below stores every record before its ack."""

from __future__ import annotations

from fleuve.app.settings.rows import BOOLEAN, CLUSTER_WIDE, INT, LIST, LONG, PER_BROKER, STRING, accepted
from fleuve.base.setting import AtLeast, Setting

_REPLICATED = "the engine below replicates; a record is stored before it is acknowledged, whatever the factor is."

SETTINGS: tuple[Setting, ...] = (
    accepted(
        "auto.leader.rebalance.enable",
        BOOLEAN,
        "true",
        "Whether leadership moves back to the preferred replica by itself.",
        _REPLICATED,
    ),
    accepted(
        "controlled.shutdown.enable",
        BOOLEAN,
        "true",
        "Whether a broker hands over its leaderships before it stops.",
        _REPLICATED,
    ),
    accepted(
        "cordoned.log.dirs",
        LIST,
        "",
        "Log directories in which no new partitions are placed.",
        _REPLICATED,
        mode=PER_BROKER,
    ),
    accepted(
        "follower.fetch.last.tiered.offset.enable",
        BOOLEAN,
        "false",
        "Whether a new follower starts behind what is in remote storage.",
        _REPLICATED,
        mode=CLUSTER_WIDE,
    ),
    accepted(
        "inter.broker.listener.name",
        STRING,
        None,
        "Listener that brokers use among themselves.",
        "There are no other brokers.",
    ),
    accepted(
        "leader.imbalance.check.interval.seconds",
        LONG,
        "300",
        "How often the share of leaderships that aren't with the preferred replica is looked at.",
        _REPLICATED,
        check=AtLeast(1),
    ),
    accepted(
        "log.dir.failure.timeout.ms",
        LONG,
        "30000",
        "How long a broker may fail to report a broken log directory before it stops.",
        _REPLICATED,
        check=AtLeast(1),
    ),
    accepted(
        "min.insync.replicas",
        INT,
        "1",
        "How many replicas must have a record before a producer with `acks=all` gets its answer.",
        _REPLICATED,
        check=AtLeast(1),
        mode=CLUSTER_WIDE,
    ),
    accepted(
        "num.replica.alter.log.dirs.threads",
        INT,
        None,
        "Threads that move replicas from one log directory to another.",
        _REPLICATED,
    ),
    accepted(
        "num.replica.fetchers",
        INT,
        "1",
        "Threads that fetch from each leader for the followers here.",
        _REPLICATED,
        check=AtLeast(1),
        mode=CLUSTER_WIDE,
    ),
    accepted(
        "replica.fetch.backoff.ms",
        INT,
        "1000",
        "Pause of a follower after a failed fetch.",
        _REPLICATED,
        check=AtLeast(0),
    ),
    accepted(
        "replica.fetch.max.bytes",
        INT,
        "1048576",
        "Bytes of one partition that a follower asks for at once.",
        _REPLICATED,
        check=AtLeast(0),
    ),
    accepted("replica.fetch.min.bytes", INT, "1", "Bytes that a follower's fetch waits for.", _REPLICATED),
    accepted(
        "replica.fetch.response.max.bytes",
        INT,
        "10485760",
        "Bytes of one answer to a follower's fetch.",
        _REPLICATED,
        check=AtLeast(0),
    ),
    accepted("replica.fetch.wait.max.ms", INT, "500", "How long a follower's fetch waits for data.", _REPLICATED),
    accepted(
        "replica.high.watermark.checkpoint.interval.ms",
        LONG,
        "5000",
        "How often high watermarks are written to disk.",
        _REPLICATED,
    ),
    accepted(
        "replica.lag.time.max.ms",
        LONG,
        "30000",
        "How long a follower may stay behind before it is no longer in sync.",
        _REPLICATED,
    ),
    accepted(
        "replica.selector.class", STRING, None, "Class that picks the replica a consumer reads from.", _REPLICATED
    ),
    accepted(
        "replica.socket.receive.buffer.bytes",
        INT,
        "65536",
        "Receive buffer of the connections between brokers.",
        _REPLICATED,
    ),
    accepted("replica.socket.timeout.ms", INT, "30000", "Time-out of requests to a leader.", _REPLICATED),
    accepted(
        "unclean.leader.election.enable",
        BOOLEAN,
        "false",
        "Whether a replica that isn't in sync may become leader, which can lose records.",
        _REPLICATED,
        mode=CLUSTER_WIDE,
    ),
    accepted(
        "unclean.leader.election.interval.ms",
        LONG,
        "300000",
        "How often partitions without a leader are looked at for an unclean election.",
        _REPLICATED,
        check=AtLeast(1),
        internal=True,
    ),
)
