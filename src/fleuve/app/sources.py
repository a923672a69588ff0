"""What the broker is told at start: flags, environment, file, defaults, in this order of precedence.

Each value keeps its source. Unknown and refused settings, and values that are not allowed, are errors of one line that
say where the value stands and what to do; settings without effect become warnings. Only this module reads the
environment.

The environment is read as Apache Kafka's container image reads it: `KAFKA_NUM_PARTITIONS` is `num.partitions`; in
names `_` stands for a dot, `__` for an underscore, `___` for a dash. `KAFKA_CFG_NUM_PARTITIONS` is the same, as in
Bitnami's images. Variables that the images themselves keep back (`KAFKA_OPTS` …), that clients use
(`KAFKA_BOOTSTRAP_SERVERS`) and that Kubernetes makes for a service named kafka are ignored; those that are about
ZooKeeper or Confluent's own parts become warnings.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fleuve.app import properties
from fleuve.app.registry import Registry
from fleuve.base.errors import FleuveError, Verdict
from fleuve.base.setting import InvalidConfig, Scope, Status, Value, canonical, parse

ENVIRONMENT_PREFIX = "KAFKA_"
ENVIRONMENT_PREFIX_BITNAMI = "KAFKA_CFG_"
ENVIRONMENT_FOREIGN = {"confluent.": "it belongs to Confluent's server", "zookeeper.": "there is no ZooKeeper"}
"""Beginnings of names that people's container files carry for other servers, and why they have no effect."""

ENVIRONMENT_IGNORED = frozenset(
    {
        # Kept back by Apache's image.
        "KAFKA_GC_LOG_OPTS",
        "KAFKA_HEAP_OPT",
        "KAFKA_HEAP_OPTS",
        "KAFKA_JMX_HOSTNAME",
        "KAFKA_JMX_OPTS",
        "KAFKA_JMX_PORT",
        "KAFKA_JVM_PERFORMANCE_OPTS",
        "KAFKA_LOG4J_LOGGERS",
        "KAFKA_LOG4J_OPTS",
        "KAFKA_LOG4J_ROOT_LOGLEVEL",
        "KAFKA_OPTS",
        "KAFKA_TOOLS_LOG4J_LOGLEVEL",
        "KAFKA_VERSION",
        # Kept back by Bitnami's.
        "KAFKA_ENABLE_KRAFT",
        "KAFKA_KRAFT_CLUSTER_ID",
        # Used by Kafka's scripts and by clients on the same machine.
        "KAFKA_BOOTSTRAP_SERVER",
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_BROKER",
        "KAFKA_BROKERS",
        "KAFKA_CLUSTER_ID",
        "KAFKA_DEBUG",
        "KAFKA_HOME",
        "KAFKA_URL",
    }
)

_KUBERNETES = re.compile(r"KAFKA_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_\w+)?)?)")

FLAGS = {
    "advertised.listeners": "--listen",
    "fleuve.data.dir": "--data-dir",
    "fleuve.http.listen": "--http",
    "fleuve.log.format": "--log-format",
    "fleuve.log.level": "--log-level",
    "listeners": "--listen",
}
"""Settings that have a flag of their own."""

_NO_TLS = (
    "TLS listeners and logins are not supported in this version; use PLAINTEXT on loopback or a private network, "
    "or put a TLS proxy in front"
)


class SettingsError(FleuveError, verdict=Verdict.REJECT):
    """The broker cannot start with what it was told; the message is one line and says what to do."""


class Source(StrEnum):
    """Where a value comes from."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    FILE = "file"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Given:
    """A value somebody gave, and where."""

    text: str
    source: Source
    where: str
    """As people would look for it: a flag, a variable, a file with its line."""


class Settings(Mapping[str, str]):
    """The broker's settings. As a mapping: those that were given, name to text; the getters know the defaults too.

    The getters raise KeyError for a name that is no broker setting, and expect a setting of their type.
    """

    def __init__(self, table: Registry, given: Mapping[str, Given], warnings: Sequence[str]) -> None:
        self._table = table
        self._given = dict(given)
        self.warnings = tuple(warnings)
        """One sentence for each setting that was given and has no effect."""

    def __getitem__(self, name: str) -> str:
        return self._given[name].text

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)

    def source(self, name: str) -> Source:
        """Return where the value of a setting comes from."""
        return self._given[name].source if name in self._given else Source.DEFAULT

    def where(self, name: str) -> str:
        """Return where the value of a setting stands, for messages."""
        return self._given[name].where if name in self._given else "default"

    def value(self, name: str) -> Value:
        """Return the value of a setting; None where it has none."""
        row = self._table.find(Scope.BROKER, name)
        if row is None:
            raise KeyError(name)
        text = self._given[name].text if name in self._given else row.default
        return None if text is None else parse(row, text)

    def integer(self, name: str) -> int:
        """Return the value of a setting of a whole number."""
        value = self.value(name)
        assert isinstance(value, int)
        return value

    def boolean(self, name: str) -> bool:
        """Return the value of a setting that is true or false."""
        value = self.value(name)
        assert isinstance(value, bool)
        return value

    def string(self, name: str) -> str:
        """Return the value of a setting of text; empty where it has none."""
        value = self.value(name)
        assert value is None or isinstance(value, str)
        return value or ""

    def words(self, name: str) -> tuple[str, ...]:
        """Return the value of a setting of a list; empty where it has none."""
        value = self.value(name)
        assert value is None or isinstance(value, tuple)
        return value or ()

    @property
    def data_dir(self) -> str:
        """The data directory: `fleuve.data.dir`, else `log.dirs`, else `log.dir`."""
        directory = self.string("fleuve.data.dir")
        return directory or (*self.words("log.dirs"), *self.words("log.dir"), "")[0]

    @property
    def node_id(self) -> int | None:
        """`node.id`, else `broker.id`; None: neither is given."""
        if "node.id" in self._given:
            return self.integer("node.id")
        broker_id = self.integer("broker.id")
        return broker_id if broker_id >= 0 else None

    @property
    def listeners(self) -> tuple[str, ...]:
        """`listeners`, without those that belong to a Kafka controller."""
        return self._of_broker("listeners")

    @property
    def advertised_listeners(self) -> tuple[str, ...]:
        """`advertised.listeners`, without those that belong to a Kafka controller."""
        return self._of_broker("advertised.listeners")

    def _of_broker(self, name: str) -> tuple[str, ...]:
        controllers = {one.upper() for one in self.words("controller.listener.names")}
        return tuple(one for one in self.words(name) if listener_name(one) not in controllers)

    def in_force(
        self, *, node_id: int, listeners: Sequence[str], advertised: Sequence[str], data_dir: str
    ) -> dict[str, str]:
        """Return what DescribeConfigs is to show as given at start: what was given, and what the broker found out.

        Listeners are NAME://HOST:PORT, with the ports that were taken.
        """
        found_out = {
            "node.id": str(node_id),
            "broker.id": str(node_id),
            "listeners": ",".join(listeners),
            "advertised.listeners": ",".join(advertised),
            "log.dirs": data_dir,
        }
        return dict(self) | found_out


def listener_name(listener: str) -> str:
    """Return NAME of NAME://HOST:PORT, in capitals."""
    return listener.partition("://")[0].strip().upper()


def read(
    table: Registry,
    *,
    flags: Mapping[str, str] | None = None,
    assignments: Sequence[tuple[str, str]] = (),
    config: Path | None = None,
    environment: Mapping[str, str] | None = None,
    assigned_by: str = "--set",
) -> Settings:
    """Return the settings that these sources come to.

    `flags` are the settings that have a flag of their own, by the setting's name; `assignments` are name and value of
    each `--set`, or of what else `assigned_by` names, the last of a name counts; `environment` is the process's, if it
    isn't given. Raises SettingsError.
    """
    given: dict[str, Given] = {}
    if config is not None:
        given |= _from_file(config)
    given |= _from_environment(os.environ if environment is None else environment)
    given |= _from_flags(flags or {}, assignments, assigned_by)
    warnings = []
    for name, why in _foreign(table, given):
        warnings.append(f"{name} has no effect: {why}")
        del given[name]
    for name, one in given.items():
        warning = _checked(table, name, one)
        if warning is not None:
            warnings.append(warning)
    settings = Settings(table, given, warnings)
    _check_together(settings)
    return settings


# ---------------------------------------------------------------- the sources


def _from_flags(flags: Mapping[str, str], assignments: Sequence[tuple[str, str]], assigned_by: str) -> dict[str, Given]:
    given = {name: Given(text, Source.FLAG, FLAGS.get(name, "--set")) for name, text in flags.items()}
    for name, text in assignments:
        if name in flags:
            raise SettingsError(
                f"{assigned_by} {name} and {FLAGS.get(name, 'its flag')} say the same thing twice: give one"
            )
        given[name] = Given(text, Source.FLAG, assigned_by)
    return given


def service_manager(environment: Mapping[str, str] | None = None) -> str:
    """Return the socket on which systemd waits for the start of the process; empty if it does not."""
    return (os.environ if environment is None else environment).get("NOTIFY_SOCKET", "")


def environment_name(variable: str) -> str:
    """Return the setting that a variable of the environment is about."""
    dashes = variable.removeprefix(ENVIRONMENT_PREFIX_BITNAMI).removeprefix(ENVIRONMENT_PREFIX).lower()
    return re.sub("_{1,3}", lambda match: {1: ".", 2: "_", 3: "-"}[len(match[0])], dashes)


def _from_environment(environment: Mapping[str, str]) -> dict[str, Given]:
    return {
        environment_name(variable): Given(text, Source.ENVIRONMENT, f"environment variable {variable}")
        # Where a setting has both names, Kafka's own comes last and counts.
        for variable, text in sorted(
            environment.items(), key=lambda item: not item[0].startswith(ENVIRONMENT_PREFIX_BITNAMI)
        )
        if variable.startswith(ENVIRONMENT_PREFIX)
        and variable not in ENVIRONMENT_IGNORED
        and _KUBERNETES.fullmatch(variable) is None
    }


def _foreign(table: Registry, given: Mapping[str, Given]) -> list[tuple[str, str]]:
    """Return the names from the environment that are other servers' settings, each with the reason."""
    return [
        (name, why)
        for name, one in given.items()
        for prefix, why in ENVIRONMENT_FOREIGN.items()
        if name.startswith(prefix) and one.source is Source.ENVIRONMENT and table.find(Scope.BROKER, name) is None
    ]


def _from_file(path: Path) -> dict[str, Given]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"--config {path}: cannot be read ({error.strerror}); check the path") from error
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        # What Java takes every such file for.
        text = raw.decode("latin-1")
    try:
        entries = properties.parse(text)
    except ValueError as error:
        raise SettingsError(f"--config {path}: {error}") from None
    return {entry.name: Given(entry.value, Source.FILE, f"{path}:{entry.line}") for entry in entries}


# ---------------------------------------------------------------- what is allowed


def _checked(table: Registry, name: str, given: Given) -> str | None:
    """Return a warning, if the setting has no effect. Raises SettingsError."""
    row = table.find(Scope.BROKER, name)
    if row is None:
        row = table.find_for_listener(name)
        if row is None:
            raise SettingsError(f"{given.where}: there is no setting {name}; {table.advice(name)}")
    try:
        parse(row, given.text)
    except InvalidConfig as error:
        raise SettingsError(f"{given.where}: {error}") from None
    if row.status is Status.REFUSED and canonical(row, given.text) != (row.default or ""):
        raise SettingsError(f"{given.where}: {name} is refused: {row.reason.rstrip('.')}")
    if row.status is Status.ACCEPTED:
        return f"{name} has no effect: {row.reason}"
    if row.name != name:
        return f"{name} has no effect: listeners have no settings of their own; set {row.name} for all of them"
    return None


def _check_together(settings: Settings) -> None:
    for name in ("log.retention.ms", "log.retention.minutes", "log.retention.hours"):
        if settings.value(name) == 0:
            raise SettingsError(f"{settings.where(name)}: {name} must be at least 1, or -1 for no limit")
    if "node.id" in settings and "broker.id" in settings and settings["node.id"] != settings["broker.id"]:
        raise SettingsError(f"{settings.where('broker.id')}: broker.id differs from node.id; give one of them")
    for name in ("log.dirs", "log.dir"):
        if len(settings.words(name)) > 1:
            raise SettingsError(f"{settings.where(name)}: {name} names several directories; give one")
    if not settings.data_dir:
        raise SettingsError(f"{settings.where('log.dir')}: log.dir is empty; name the data directory")
    low, high = "group.min.session.timeout.ms", "group.max.session.timeout.ms"
    if settings.integer(low) > settings.integer(high):
        raise SettingsError(f"{settings.where(low)}: {low} is above {high}; want {low} ≤ {high}")
    for name in ("socket.receive.buffer.bytes", "socket.send.buffer.bytes"):
        if settings.integer(name) == 0 or settings.integer(name) < -1:
            raise SettingsError(f"{settings.where(name)}: {name} must be at least 1, or -1 for the system's")
    queued, request = settings.integer("queued.max.request.bytes"), settings.integer("socket.request.max.bytes")
    if 0 < queued < request:
        raise SettingsError(
            f"{settings.where('queued.max.request.bytes')}: queued.max.request.bytes is below "
            "socket.request.max.bytes: the largest request would never be read; raise it, or give -1"
        )
    _check_protocols(settings)


def _check_protocols(settings: Settings) -> None:
    protocols = {}
    for pair in settings.string("listener.security.protocol.map").split(","):
        name, colon, protocol = pair.strip().partition(":")
        if not colon:
            where = settings.where("listener.security.protocol.map")
            raise SettingsError(f"{where}: listener.security.protocol.map: want NAME:PROTOCOL, got {pair!r}")
        protocols[name.strip().upper()] = protocol.strip().upper()
    for listener in settings.listeners:
        name = listener_name(listener)
        if "://" not in listener:
            raise SettingsError(f"{settings.where('listeners')}: listener {listener!r}: want NAME://HOST:PORT")
        # Names given to --listen need no entry: there is one protocol.
        if name not in protocols and settings.where("listeners") == FLAGS["listeners"]:
            continue
        if name not in protocols:
            raise SettingsError(
                f"{settings.where('listeners')}: listener {name} has no protocol; add {name}:PLAINTEXT to "
                "listener.security.protocol.map"
            )
        if protocols[name] != "PLAINTEXT":
            raise SettingsError(f"{settings.where('listeners')}: listener {name} is {protocols[name]}: {_NO_TLS}")
