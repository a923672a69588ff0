"""The options by which a command finds its cluster: flags, a file, the environment; and the settings they come to.

The names are librdkafka's, which are Java's in most cases; a Java client's file mostly works as it is. In order of
precedence: `-b`, `-X`, the file of `--client-config`, `KAFKA_BOOTSTRAP_SERVERS`, the default.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from fleuve.app import properties
from fleuve.app.options import UsageError, parse_address

BOOTSTRAP_DEFAULT = "localhost:9092"
BOOTSTRAP_VARIABLE = "KAFKA_BOOTSTRAP_SERVERS"
BOOTSTRAP = "bootstrap.servers"
CONNECT_S_MAX = 5.0

_PROTOCOLS = frozenset({"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"})

_JAAS_VALUE = re.compile(r"\b(username|password)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)'|([^\s;]+))")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientOptions:
    """Which cluster to talk to, and how."""

    settings: Mapping[str, str]
    """Client settings by their name, `bootstrap.servers` among them."""
    where: Mapping[str, str]
    """Where each of them was given, for messages."""

    @property
    def bootstrap(self) -> str:
        """HOST:PORT, or several with commas between them."""
        return self.settings[BOOTSTRAP]


def add_client_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that every command has which talks to a cluster."""
    group = parser.add_argument_group("connection")
    group.add_argument(
        "-b",
        "--bootstrap-server",
        metavar="HOST:PORT",
        help="a broker of the cluster, or several with commas between them"
        f" (default: ${BOOTSTRAP_VARIABLE}, else {BOOTSTRAP_DEFAULT})",
    )
    group.add_argument(
        "-X",
        action="append",
        default=[],
        dest="client_settings",
        metavar="NAME=VALUE",
        help="any client setting, such as security.protocol=SASL_SSL; may be repeated",
    )
    group.add_argument(
        "--client-config",
        type=Path,
        metavar="FILE",
        help="client settings from a file of NAME=VALUE lines, such as client.properties",
    )


# Of these bytes are taken as they are.
_BYTES = frozenset({"files", "key", "grep", "header", "headers"})


def client_options(parsed: argparse.Namespace, environment: Mapping[str, str] | None = None) -> ClientOptions:
    """Return what the flags, the file and the environment (by default the process's) come to. Raises UsageError."""
    environment = os.environ if environment is None else environment
    settings, where = {BOOTSTRAP: BOOTSTRAP_DEFAULT}, {BOOTSTRAP: "the default"}

    def give(name: str, value: str, source: str) -> None:
        settings[name], where[name] = value, source

    if environment.get(BOOTSTRAP_VARIABLE):
        give(BOOTSTRAP, environment[BOOTSTRAP_VARIABLE], BOOTSTRAP_VARIABLE)
    if parsed.client_config is not None:
        for name, value, source in _from_file(parsed.client_config):
            give(name, value, source)
    for text in parsed.client_settings:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"-X: {text!r} is not a setting: want NAME=VALUE, as in security.protocol=SASL_SSL")
        give(name.strip(), value.strip(), "-X")
    if parsed.bootstrap_server is not None:
        give(BOOTSTRAP, parsed.bootstrap_server, "-b")
    _check_bootstrap(settings[BOOTSTRAP], where[BOOTSTRAP])
    for name, value in settings.items():
        _check_text(f"{name}={value}")
    for name, given in vars(parsed).items():
        for text in (given if isinstance(given, list) else [given]) if name not in _BYTES else ():
            if isinstance(text, str):
                _check_text(text)
    return ClientOptions(settings=settings, where=where)


def _check_text(text: str) -> None:
    """Raise UsageError for what cannot be UTF-8: such a name ends librdkafka, and the process, in the middle."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{text!r} is not UTF-8, as names and settings are; check the terminal's encoding") from None


def _check_bootstrap(text: str, where: str) -> None:
    servers = [server.strip() for server in text.split(",")]
    if not all(servers):
        raise UsageError(f"{where}: {text!r} names no broker: want HOST:PORT, as in {BOOTSTRAP_DEFAULT}")
    for server in servers:
        # As librdkafka reads them: a protocol in front, and a port that may be left out.
        protocol, slashes, address = server.rpartition("://")
        if slashes and protocol.upper() not in _PROTOCOLS:
            raise UsageError(
                f"{where}: {server!r} is not the address of a broker: want HOST:PORT, without {protocol}://"
            )
        if ":" in address.rpartition("]")[2]:
            parse_address(address, flag=where)


def _from_file(path: Path) -> list[tuple[str, str, str]]:
    try:
        entries = properties.parse(path.read_text())
    except OSError as error:
        raise UsageError(f"--client-config {path}: cannot be read ({error.strerror}); check the path") from error
    except UnicodeDecodeError:
        raise UsageError(f"--client-config {path}: is not text") from None
    except ValueError as error:
        raise UsageError(f"--client-config {path}: {error}") from None
    found = []
    for entry in entries:
        where = f"{path}:{entry.line}"
        if entry.name == "sasl.jaas.config":
            found += [(name, value, where) for name, value in _from_jaas(entry.value, where)]
        else:
            found.append((entry.name, entry.value, where))
    return found


def _from_jaas(text: str, where: str) -> list[tuple[str, str]]:
    """Return the user and password of a Java client's login module, which librdkafka has settings of its own for."""
    values = {match[1]: match[2] or match[3] or match[4] or "" for match in _JAAS_VALUE.finditer(text)}
    if set(values) != {"username", "password"}:
        raise UsageError(f"{where}: sasl.jaas.config: only a username and a password are understood; use sasl.username")
    return [(f"sasl.{name}", re.sub(r"\\(.)", r"\1", value)) for name, value in values.items()]
