"""What `fleuve serve` was asked for on its command line, checked and typed.

Parsing only: names are not looked up here, no file is read, and settings are left as text for the settings'
sources to judge. The same `listen` grammar serves `--listen` and Kafka's `listeners`/`advertised.listeners`.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from fleuve.base.errors import FleuveError, Verdict

LISTENER_NAME_DEFAULT = "PLAINTEXT"
PORT_MAX = 65535
LISTENERS_DEFAULT = "localhost:9092"
"""Both loopbacks: 127.0.0.1 and, where the machine has it, ::1."""
HTTP_DEFAULT = "127.0.0.1:9644"
DATA_DIR_DEFAULT = "./fleuve-data"
LOG_LEVELS = ("debug", "info", "warning", "error")
LOG_FORMATS = ("auto", "text", "json")

# Kafka's listener names, in upper case as Kafka normalises them.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*\Z")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\.?\Z")


class UsageError(FleuveError, verdict=Verdict.REJECT):
    """The command line or a setting cannot be used as written; the message names the flag and what to write."""


class Address(NamedTuple):
    """A host, by name or address (IPv6 without brackets), and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ListenerSpec:
    """A listener to open: where it binds, and how its clients reach it.

    With port 0 the system chooses, and `advertised_port` 0 then means the port it chose.
    """

    name: str
    host: str
    port: int
    advertised_host: str
    advertised_port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeOptions:
    """Everything `fleuve serve` can be told on its command line.

    None means that the flag was not given: the settings' other sources then decide, and at last the default.
    """

    listeners: tuple[ListenerSpec, ...] | None = None
    data_dir: Path | None = None
    ephemeral: bool = False
    """Keep everything in memory; nothing survives the process."""
    settings: tuple[tuple[str, str], ...] = ()
    """Name and value of each `--set`, as written, in order."""
    config: Path | None = None
    """A file in the format of Kafka's `server.properties`."""
    ready_file: Path | None = None
    """Gets the first listener's advertised address, and a line end, when the broker is ready."""
    http: str | None = None
    """As written: HOST:PORT, or `off`."""
    log_level: str | None = None
    log_format: str | None = None


def is_wildcard(host: str) -> bool:
    """Return whether `host` stands for every interface, so that no client can be told to connect to it."""
    if host in {"", "*"}:
        return True
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False


def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine's loopback, by name or address."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def parse_address(text: str, *, flag: str) -> Address:
    """Return the HOST:PORT in `text`; an IPv6 host stands in brackets, an empty host means every interface.

    Raises UsageError, which names `flag`.
    """
    host, colon, port_text = text.rpartition(":")
    if not colon or (":" in host and not host.startswith("[")):
        want = "HOST:PORT, and an IPv6 address in brackets, as in [::1]:9092"
        raise UsageError(f"{flag}: {text!r} is not an address: want {want}")
    if not (port_text.isascii() and port_text.isdigit()) or int(port_text) > PORT_MAX:
        raise UsageError(f"{flag}: {text!r} has no usable port: want a number from 0 to {PORT_MAX}")
    return Address(_checked_host(host, text, flag), int(port_text))


def _checked_host(host: str, text: str, flag: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        try:
            ipaddress.IPv6Address(host[1:-1].partition("%")[0])
        except ValueError:
            raise UsageError(f"{flag}: {text!r}: {host} is not an IPv6 address") from None
        return host[1:-1]
    if host in {"", "*"}:
        return ""
    if not _HOST.match(host):
        raise UsageError(f"{flag}: {text!r}: {host!r} is neither a host name nor an address")
    return host


def parse_listener(text: str, *, flag: str = "--listen") -> ListenerSpec:
    """Return the listener that `text` describes: [NAME=]HOST:PORT[@ADVERTISED_HOST:PORT].

    Raises UsageError if it is malformed, or binds every interface without saying how clients reach it.
    """
    name, equals, rest = text.rpartition("=")
    if not equals:
        name = LISTENER_NAME_DEFAULT
    elif not _NAME.match(name):
        raise UsageError(f"{flag}: {text!r}: {name!r} is not a name: letters, digits, '.', '_' and '-' only")
    bind_text, at, advertised_text = rest.partition("@")
    bind = parse_address(bind_text, flag=flag)
    advertised = parse_address(advertised_text, flag=flag) if at else bind
    return make_listener(name, bind, advertised, flag=flag, text=text)


def make_listener(name: str, bind: Address, advertised: Address, *, flag: str, text: str) -> ListenerSpec:
    """Return the listener `name`; raise UsageError if clients could not be told to connect to `advertised`."""
    if is_wildcard(advertised.host):
        if is_wildcard(bind.host) and bind == advertised:
            raise UsageError(
                f"{flag}: {text!r} binds every interface; say how clients reach this broker: "
                f"--listen {bind}@HOST:{bind.port or 'PORT'} (or set advertised.listeners)"
            )
        raise UsageError(f"{flag}: {text!r}: clients cannot connect to {advertised}: advertise a host name or address")
    if advertised.port == 0 and bind.port != 0:
        raise UsageError(f"{flag}: {text!r}: clients cannot connect to port 0: advertise port {bind.port}")
    return ListenerSpec(name.upper(), bind.host, bind.port, advertised.host, advertised.port)


def parse_listeners(texts: tuple[str, ...], *, flag: str = "--listen") -> tuple[ListenerSpec, ...]:
    """Return the listeners of a repeated flag; raise UsageError if two share a name or an address.

    Listeners without a name are PLAINTEXT, PLAINTEXT-2, PLAINTEXT-3, … in order.
    """
    specs: list[ListenerSpec] = []
    for text in texts:
        spec = parse_listener(text, flag=flag)
        if "=" not in text and specs:
            taken = {other.name for other in specs}
            numbers = range(len(specs) + 1, 2 * len(specs) + 3)
            free = next(n for n in numbers if f"{LISTENER_NAME_DEFAULT}-{n}" not in taken)
            if LISTENER_NAME_DEFAULT in taken:
                spec = ListenerSpec(f"{LISTENER_NAME_DEFAULT}-{free}", *_addresses(spec))
        specs.append(spec)
    check_listeners(specs, flag=flag)
    return tuple(specs)


def check_listeners(specs: list[ListenerSpec], *, flag: str) -> None:
    """Raise UsageError if two listeners share a name or an address."""
    for index, spec in enumerate(specs):
        for other in specs[:index]:
            if spec.name == other.name:
                raise UsageError(f"{flag}: two listeners are named {spec.name}: give each its own NAME=")
            if spec.port != 0 and (spec.host, spec.port) == (other.host, other.port):
                raise UsageError(f"{flag}: two listeners bind {Address(spec.host, spec.port)}")


def _addresses(spec: ListenerSpec) -> tuple[str, int, str, int]:
    return spec.host, spec.port, spec.advertised_host, spec.advertised_port


def parse_http(text: str) -> Address | None:
    """Return the address of `--http HOST:PORT`, or None for `off`; raise UsageError for anything else."""
    if text.lower() == "off":
        return None
    return parse_address(text, flag="--http")


def parse_setting(text: str) -> tuple[str, str]:
    """Return name and value of `--set NAME=VALUE`; raise UsageError if there is no name or no `=`."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set: {text!r} is not a setting: want NAME=VALUE, as in num.partitions=3")
    return name.strip(), value.strip()
