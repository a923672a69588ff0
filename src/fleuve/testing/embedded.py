"""The broker as a test sees it: start, stop, ask, break."""

from __future__ import annotations

import functools
import os
import shutil
import socket
import sys
import tempfile
import weakref
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from fleuve.app.broker import Broker as AppBroker
from fleuve.app.in_thread import BrokerThread, guest_broker
from fleuve.app.options import Address, ListenerSpec, UsageError
from fleuve.base.clock import SystemClock
from fleuve.testing.faults import Fault, Faults
from fleuve.testing.log import ProcessLogger
from fleuve.testing.names import ErrorName, api_key, error_code
from fleuve.testing.requests import Headers, Record, Requests
from fleuve.testing.settings import SettingValue, settings_of, texts
from fleuve.wire.errors import ErrorCode

T = TypeVar("T")

HOST = "127.0.0.1"


class Broker:
    """A broker of this process: isolated, on a free port of the loopback, with its data in a directory of its own.

    As a context manager, with `with` or `async with`, it runs inside and is gone afterwards. Without one: `start`,
    then `close` when it is not needed any more. Its methods block, briefly, and may be called from any thread; the
    broker itself runs in another one, so they may be called in a coroutine, too.
    """

    def __init__(self, settings: Mapping[str, str], *, data_dir: str | os.PathLike[str] | None = None) -> None:
        """Take settings by Kafka's names, as texts; `broker` takes them as people write them.

        Without `data_dir` the data is gone with the broker. Raises UsageError and SettingsError, of one line.
        """
        self._settings = settings_of(settings)
        self._data_dir = None if data_dir is None else Path(data_dir)
        self._directory: Path | None = self._data_dir
        self._forget: Callable[[], object] = _nothing
        self._port = 0
        self._reserved: socket.socket | None = None
        self._thread: BrokerThread | None = None
        self._process_id = 0
        self._requests: Requests
        self._faults = Faults()
        self._logger = ProcessLogger()

    # ------------------------------------------------------------ life

    @property
    def host(self) -> str:
        """The address that it listens on."""
        return HOST

    @property
    def port(self) -> int:
        """The port that it listens on: chosen when it is first started, and kept."""
        if not self._port:
            raise UsageError("the broker has no port before it is started: use `with`, or call start()")
        return self._port

    @property
    def bootstrap_servers(self) -> str:
        """Where clients connect to, as their `bootstrap.servers`."""
        return f"{self.host}:{self.port}"

    @property
    def is_running(self) -> bool:
        """Whether it serves clients."""
        return self._thread is not None

    @property
    def errors(self) -> tuple[str, ...]:
        """What it has logged as errors of its own: none, if all is well. What clients are refused is none."""
        return tuple(self._logger.errors)

    def start(self) -> None:
        """Serve clients: at first, or again after `stop`, on the same port and with the same data.

        Raises FleuveError, with one line that says what to do.
        """
        if self._thread is not None:
            return
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix="fleuve-"))
            self._forget = weakref.finalize(self, _remove, self._directory, os.getpid())
        for warning in self._settings.warnings:
            self._logger.warning(warning)
        thread = BrokerThread(functools.partial(self._make, self._directory))
        self._release_port()
        try:
            running = thread.start()
        except BaseException:
            self._forget_if_new()
            raise
        self._thread = thread
        self._process_id = os.getpid()
        self._port = running.addresses[0].port
        self._requests = Requests(running.routes, SystemClock())
        self._call(_sync(self._faults.attach, running.routes))

    def stop(self) -> None:
        """Answer what is under way and close every connection; port and data are kept for `start`.

        Raises what the broker failed with, if it did.
        """
        thread, self._thread = self._thread, None
        if thread is None or self._process_id != os.getpid():
            # In a process that was forked there is nothing of it but memory.
            return
        try:
            # Nobody may wait for a fault while the broker stops.
            thread.call(_sync(self._faults.detach))
        finally:
            thread.stop()
            self._reserve_port()

    def close(self) -> None:
        """Stop, and let go of port and data. Raises as `stop`."""
        try:
            self.stop()
        finally:
            self._release_port()
            self._forget_data()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        # Not in a thread of an event loop: it takes some hundredths of a second, and works with every kind of loop.
        self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        where = self.bootstrap_servers if self._port else "not started yet"
        return f"<fleuve.testing.Broker {where}{'' if self.is_running or not self._port else ', stopped'}>"

    def _make(self, directory: Path) -> AppBroker:
        return guest_broker(
            self._settings,
            directory=directory,
            listener=ListenerSpec("PLAINTEXT", HOST, self._port, HOST, self._port),
            logger=self._logger,
            keeps_data=self._data_dir is not None,
        )

    def _reserve_port(self) -> None:
        """Keep others from the port, without listening on it: clients are refused."""
        reserved = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            if sys.platform == "win32":
                # There the other option would let somebody share the port.
                reserved.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:
                reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            reserved.bind(Address(HOST, self._port))
        except OSError:
            # Somebody was quicker; `start` says so.
            reserved.close()
        else:
            self._reserved = reserved

    def _release_port(self) -> None:
        if self._reserved is not None:
            self._reserved.close()
            self._reserved = None

    def _forget_if_new(self) -> None:
        if not self._port:
            self._forget_data()

    def _forget_data(self) -> None:
        self._forget()
        self._forget = _nothing
        self._directory = self._data_dir

    def _call(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        if self._thread is None:
            raise UsageError("the broker is not running: use `with`, or call start()")
        if self._process_id != os.getpid():
            raise UsageError("the broker runs in the process that was forked: here it can only be connected to")
        return self._thread.call(work)

    # ------------------------------------------------------------ what a test prepares and checks

    def create_topic(
        self,
        name: str,
        partitions: int | None = None,
        config: Mapping[str, SettingValue] | None = None,
        **named: SettingValue,
    ) -> None:
        """Create a topic, with `num.partitions` partitions (1) if nothing else is said.

        Its configs may be keywords (`retention_ms=1000`) or have Kafka's names (`config={"retention.ms": 1000}`).
        Raises BrokerError.
        """
        configs = texts(config, named, by=f"create_topic({name!r})")
        self._call(lambda: self._requests.create_topic(name, partitions, configs))

    def produce(
        self,
        topic: str,
        value: str | bytes | None,
        *,
        key: str | bytes | None = None,
        headers: Headers = (),
        partition: int | None = None,
        timestamp: int | None = None,
    ) -> Record:
        """Append a record, and return it as it is in the log.

        Texts are written in UTF-8. Without a partition the key decides, as in Kafka's own producer; without a key it
        is partition 0. Without a timestamp (milliseconds since 1970) it is now. A topic that is not there is created,
        if `auto.create.topics.enable` is not set to false. Faults do not concern it. Raises BrokerError.
        """
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        named = tuple((name, _bytes(content)) for name, content in pairs)
        return self._call(
            lambda: self._requests.produce(
                topic, _bytes(key), _bytes(value), headers=named, partition=partition, timestamp=timestamp
            )
        )

    def records(
        self, topic: str, *, partition: int | None = None, wait_for: int = 0, timeout: float = 10.0
    ) -> list[Record]:
        """Return the records of a topic, or of one partition, by partition and offset; what was compressed is read.

        If there are fewer than `wait_for`, or no such topic yet, waits until there are, and raises TimeoutError when
        that takes longer than `timeout` seconds. Faults do not concern it. Raises BrokerError.
        """
        return self._call(
            lambda: self._requests.records(topic, partition=partition, count_min=wait_for, timeout_s=timeout)
        )

    # ------------------------------------------------------------ faults

    def fail(self, api: str | int, error: ErrorName, times: int | None = 1) -> Fault:
        """Let the next requests of an API, whoever sends them, be answered with an error; nothing of them is done.

        `api` is Kafka's name of it, as in "Produce"; `error` Kafka's name, its code, or a client's constant or class
        for it. After `times` requests, or with None never, requests are served again; `clear` of the result, or the
        end of its `with`, ends it, too. Several for one API come one after the other. A request whose answer has no
        place for an error is served, and not counted. Raises UsageError for names that Kafka, or this broker, does
        not have.
        """
        return self._add(api_key(api), error_code(error), 0.0, times)

    def delay(self, api: str | int, seconds: float, times: int | None = None) -> Fault:
        """Let requests of an API wait so long before anything is done; as `fail`, but without end by default."""
        if not 0 <= seconds < float("inf"):
            raise UsageError(f"delay({api!r}): want a number of seconds, got {seconds!r}")
        return self._add(api_key(api), None, float(seconds), times)

    def clear_faults(self) -> None:
        """Serve every request again, those that wait, too."""
        self._change_faults(self._faults.clear)

    def _add(self, key: int, error: ErrorCode | None, delay_s: float, times: int | None) -> Fault:
        if times is not None and times < 1:
            raise UsageError(f"times={times}: want at least 1, or None for every request until it is cleared")
        fault = Fault(key, error, delay_s, times, self._clear)
        self._change_faults(functools.partial(self._faults.add, fault))
        return fault

    def _clear(self, fault: Fault) -> None:
        self._change_faults(functools.partial(self._faults.remove, fault))

    def _change_faults(self, change: Callable[[], None]) -> None:
        """Change them where they are looked at: in the broker's event loop, if it runs."""
        if self._thread is None:
            change()
        else:
            self._call(_sync(change))


def broker(
    settings: Mapping[str, SettingValue] | None = None,
    /,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    **named: SettingValue,
) -> Broker:
    """Return a broker, not started yet, with these settings: `broker(num_partitions=3)`.

    In keywords `_` stands for a dot, `__` for an underscore, `___` for a dash; or give Kafka's names,
    `broker({"num.partitions": 3})`. Nothing is taken from the environment. Defaults are Kafka's, except that nothing
    is flushed to the device, groups do not wait for more members, and there is no HTTP port. With `data_dir` the data
    is kept there. Raises UsageError and SettingsError, of one line, for settings that do not exist or cannot be.
    """
    return Broker(texts(settings, named, by="broker()"), data_dir=data_dir)


def _bytes(content: str | bytes | None) -> bytes | None:
    if not isinstance(content, str | bytes | None):
        raise TypeError(f"want bytes, a text or None as a key, a value or a header's, got {content!r}")
    return content.encode() if isinstance(content, str) else content


def _sync(function: Callable[..., None], *arguments: object) -> Callable[[], Coroutine[Any, Any, None]]:
    async def work() -> None:
        function(*arguments)

    return work


def _nothing() -> None:
    """Do nothing."""


def _remove(directory: Path, process_id: int) -> None:
    # A process that was forked meanwhile has a copy of everything, but the directory is not its own.
    if os.getpid() == process_id:
        shutil.rmtree(directory, ignore_errors=True)
