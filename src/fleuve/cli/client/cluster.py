"""A cluster as commands see it: clients that are quiet, and a first contact that fails soon and says why.

librdkafka would try for ever and log to standard error. Here its log is off, its errors are collected, and whoever
cannot reach a broker is told within 5 s what was tried and what came of it.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, ClusterMetadata

from fleuve import __version__
from fleuve.app.options import UsageError
from fleuve.cli.client.errors import CommandFailed, failure
from fleuve.cli.client.options import CONNECT_S_MAX, ClientOptions

REQUEST_S_MAX = 15.0
"""How long an answer may take once a broker has been reached."""
_REFUSED_S = 0.6
"""How long brokers that all refuse are asked again: a name has several addresses, and they are tried one by one."""
_SOON_S = 1.0
"""How soon brokers that were there answer, unless they are gone or much is asked."""
_HOPELESS = frozenset({KafkaError._AUTHENTICATION, KafkaError._SSL})
# What librdkafka calls settings that were given by another of their names.
_ALIASES = {
    "compression.codec": "compression.type",
    "max.in.flight.requests.per.connection": "max.in.flight",
    "message.send.max.retries": "retries",
    "metadata.broker.list": "bootstrap.servers",
    "queue.buffering.max.ms": "linger.ms",
    "request.required.acks": "acks",
    "sasl.mechanisms": "sasl.mechanism",
}
# "HTTP", read as the length of an answer.
_HTTP_AS_SIZE = "Invalid response size 1213486160"


class Cluster:
    """The cluster that the options name. Clients are made when they are asked for; `close` ends the admin client."""

    def __init__(self, options: ClientOptions) -> None:
        self.options = options
        self._errors: list[KafkaError] = []
        self._admin: AdminClient | None = None

    @property
    def admin(self) -> AdminClient:
        """The admin client, which has reached a broker. Raises CommandFailed and UsageError."""
        if self._admin is None:
            self._admin = self._made(AdminClient, {})
            self._reach(self._admin)
        return self._admin

    def metadata(self) -> ClusterMetadata:
        """Return brokers and topics as a broker knows them now. Raises CommandFailed."""
        admin = self.admin
        # The first part is for brokers that have gone away, the second for answers that are long on their way.
        for patience_s in (_SOON_S, CONNECT_S_MAX - _SOON_S):
            try:
                metadata = admin.list_topics(timeout=patience_s)
            except KafkaException:
                admin.poll(0)
                if any(error.code() == KafkaError._ALL_BROKERS_DOWN for error in self._errors):
                    break
            else:
                # What was in the way once is not the reason of what fails later.
                self._errors.clear()
                return metadata
        raise self._unreachable()

    def consumer(self, settings: Mapping[str, Any]) -> Consumer:
        """Return a consumer with `settings`, over which the user's come; the cluster has been reached."""
        assert self.admin is not None
        consumer: Consumer = self._made(Consumer, settings)
        return consumer

    def producer(self, settings: Mapping[str, Any]) -> Producer:
        """Return a producer with `settings`, over which the user's come; the cluster has been reached."""
        assert self.admin is not None
        producer: Producer = self._made(Producer, settings)
        return producer

    # ------------------------------------------------------------ first contact

    def _made(self, kind: Any, settings: Mapping[str, Any]) -> Any:
        config = {
            "client.id": "fleuve-cli",
            "client.software.name": "fleuve-cli",
            "client.software.version": __version__,
            "log_level": 0,
            # Else each broker is connected to when it is needed, 50 ms after the last one at the earliest; a producer
            # that finds none at first waits 500 ms before it asks for its id.
            "enable.sparse.connections": False,
            # Somebody waits in front of a screen: a broker that is back is to be seen soon.
            "reconnect.backoff.max.ms": 1000,
            "error_cb": self._errors.append,
            **settings,
            **self.options.settings,
        }
        try:
            with _standard_error_off():
                return kind(config)
        except KafkaException as error:
            raise self._wrong_setting(str(error.args[0].str())) from None

    def _wrong_setting(self, text: str) -> UsageError:
        named = re.search(r'property:? "([^"]+)"', text)
        where = None
        if named:
            where = self.options.where.get(named[1]) or self.options.where.get(_ALIASES.get(named[1], ""))
        said = text.removeprefix("Failed to create admin client: ")
        return UsageError(f"{where or 'client settings'}: {said}; names and values are those of librdkafka")

    def _reach(self, admin: AdminClient) -> None:
        """Return when a broker has answered. Raises CommandFailed within CONNECT_S_MAX."""
        began = time.perf_counter()
        patience_s = 0.2
        while True:
            left_s = CONNECT_S_MAX - 0.2 - (time.perf_counter() - began)
            if left_s <= 0:
                raise self._unreachable()
            try:
                admin.list_topics(timeout=min(patience_s, left_s))
                return
            except KafkaException:
                admin.poll(0)
            patience_s *= 1.5
            codes = {error.code() for error in self._errors}
            refused = KafkaError._ALL_BROKERS_DOWN in codes and time.perf_counter() - began >= _REFUSED_S
            if refused or codes & _HOPELESS:
                raise self._unreachable()

    def _unreachable(self) -> CommandFailed:
        options = self.options
        reasons = [error for error in self._errors if error.code() != KafkaError._ALL_BROKERS_DOWN]
        tried = f"no broker answers at {options.bootstrap} ({options.where['bootstrap.servers']})"
        if not reasons:
            return CommandFailed(f"{tried} within {CONNECT_S_MAX:.0f} s; check the address, or name another with -b")
        last = str(reasons[-1].str())
        if _HTTP_AS_SIZE in last:
            return CommandFailed(f"{tried}: this is an HTTP port; name the port for Kafka clients with -b HOST:PORT")
        reason = _plain(last)
        advice = "start one with `fleuve serve`, or name one with -b HOST:PORT"
        if reasons[-1].code() in _HOPELESS or "SSL" in reason or "security.protocol" in reason:
            advice = "check the settings for TLS and login (-X, --client-config)"
        return CommandFailed(f"{tried}: {reason}; {advice}")

    def close(self) -> None:
        """Forget the admin client; librdkafka closes it."""
        self._admin = None


def _plain(text: str) -> str:
    """Return what librdkafka says of a connection without its names for states and threads."""
    text = re.sub(r"^\S+/(?:bootstrap|\d+): ", "", text)
    text = re.sub(r"^Connect to (?:ipv[46]#)?(\S+) failed: ", "", text)
    text = re.sub(r" \(after \d+ms in state \w+(?:, .*)?\)$", "", text)
    return text.rstrip(".")


@contextlib.contextmanager
def _standard_error_off() -> Iterator[None]:
    """Keep what librdkafka writes to standard error itself, before a client's log level counts, off the terminal."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextlib.contextmanager
def cluster(options: ClientOptions) -> Iterator[Cluster]:
    """Give a block the cluster that the options name; what the library raises in it becomes one line."""
    it = Cluster(options)
    try:
        yield it
    except KafkaException as error:
        raise failure(error, what="the broker refused") from error
    finally:
        it.close()
