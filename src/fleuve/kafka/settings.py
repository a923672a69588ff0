"""Settings that the Kafka edge reads: listeners, connections, and the memory that clients can make it use."""

from __future__ import annotations

from fleuve.base.setting import AtLeast, Scope, Setting, Status, UpdateMode, Value, ValueType


def host_limits(text: str) -> tuple[tuple[str, int], ...]:
    """Return the pairs that `max.connections.per.ip.overrides` holds. Raises ValueError."""
    pairs = [pair.strip().rpartition(":") for pair in text.split(",") if pair.strip()]
    if not all(host and number.isdecimal() for host, _, number in pairs):
        raise ValueError("Value must be a list of host:number")
    return tuple((host, int(number)) for host, _, number in pairs)


def _host_limits(value: Value) -> str | None:
    try:
        host_limits(str(value))
    except ValueError as error:
        return str(error)
    return None


LISTENERS = (
    Setting(
        name="listeners",
        scope=Scope.BROKER,
        type=ValueType.LIST,
        default="PLAINTEXT://localhost:9092",
        doc="Addresses to listen on, as NAME://HOST:PORT. Port 0 takes a free one.",
        differs=(
            "The default is both loopback addresses; Apache Kafka's is every address of the machine. A name that "
            "`controller.listener.names` has is left out."
        ),
        update_mode=UpdateMode.PER_BROKER,
        fixed_at_start=True,
    ),
    Setting(
        name="advertised.listeners",
        scope=Scope.BROKER,
        type=ValueType.LIST,
        default=None,
        doc="Addresses that clients are told, as NAME://HOST:PORT; needed where a listener's host is a wildcard.",
    ),
    Setting(
        name="listener.security.protocol.map",
        scope=Scope.BROKER,
        type=ValueType.STRING,
        default="SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT",
        doc="Security protocol of each listener name.",
        differs="Only listeners with the protocol PLAINTEXT can be opened in this version.",
        update_mode=UpdateMode.PER_BROKER,
        fixed_at_start=True,
    ),
    Setting(
        name="socket.listen.backlog.size",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="50",
        check=AtLeast(1),
        doc="Connections that may wait to be accepted.",
    ),
    Setting(
        name="socket.receive.buffer.bytes",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="102400",
        doc="Receive buffer of a connection's socket (SO_RCVBUF); -1: the system's.",
    ),
    Setting(
        name="socket.send.buffer.bytes",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="102400",
        doc="Send buffer of a connection's socket (SO_SNDBUF); -1: the system's.",
    ),
)

BOUNDS = (
    Setting(
        name="connections.max.idle.ms",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="600000",
        doc="Time after which a connection without requests is closed; negative: never.",
    ),
    Setting(
        name="fetch.max.bytes",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="57671680",
        check=AtLeast(1024),
        doc="Bytes of the largest answer to a fetch, whatever the client asks for.",
    ),
    Setting(
        name="max.connections",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="2147483647",
        check=AtLeast(0),
        doc="Most connections of this broker at once.",
        differs=(
            "There are never more than the process may have open files, less those that the broker needs itself. One "
            "too many is closed; in Apache Kafka it waits."
        ),
        update_mode=UpdateMode.CLUSTER_WIDE,
        fixed_at_start=True,
    ),
    Setting(
        name="max.connections.per.ip",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="2147483647",
        check=AtLeast(0),
        doc="Most connections from one address at once.",
        update_mode=UpdateMode.CLUSTER_WIDE,
        fixed_at_start=True,
    ),
    Setting(
        name="max.connections.per.ip.overrides",
        scope=Scope.BROKER,
        type=ValueType.STRING,
        default="",
        check=_host_limits,
        doc="Limits of connections for single addresses, as HOST:NUMBER, separated by commas.",
        update_mode=UpdateMode.CLUSTER_WIDE,
        fixed_at_start=True,
    ),
    Setting(
        name="max.incremental.fetch.session.cache.slots",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="1000",
        check=AtLeast(0),
        doc="Most incremental fetch sessions at once; a client without one sends whole requests.",
    ),
    Setting(
        name="queued.max.request.bytes",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="-1",
        doc="Bytes of requests that may wait before sockets are no longer read; -1: `fleuve.request.memory.bytes`.",
    ),
    Setting(
        name="queued.max.requests",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="500",
        check=AtLeast(1),
        doc="Requests of all connections that may wait for a thread.",
        status=Status.ACCEPTED,
        reason=(
            "requests do not wait for threads; `fleuve.connection.requests.max` bounds those of each connection, "
            "`fleuve.request.memory.bytes` the bytes of all."
        ),
    ),
    Setting(
        name="socket.request.max.bytes",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="104857600",
        check=AtLeast(1),
        doc="Bytes of the largest request; a connection that sends a larger one is closed.",
    ),
)

OURS = (
    Setting(
        name="fleuve.connection.requests.max",
        scope=Scope.BROKER,
        type=ValueType.INT,
        default="1000",
        check=AtLeast(1),
        doc="Requests of one connection that may be under way; beyond it its socket is not read.",
    ),
    Setting(
        name="fleuve.fetch.memory.bytes",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="134217728",
        check=AtLeast(1_048_576),
        doc="Bytes of all answers to fetches that are being made or sent; beyond it fetches wait.",
    ),
    Setting(
        name="fleuve.request.memory.bytes",
        scope=Scope.BROKER,
        type=ValueType.LONG,
        default="134217728",
        check=AtLeast(1_048_576),
        doc="Bytes of all requests that are being read or worked on; beyond it sockets are not read.",
    ),
)

SETTINGS: tuple[Setting, ...] = LISTENERS + BOUNDS + OURS
