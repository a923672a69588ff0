"""Requests that fail or take their time because a test wants it so.

    fail  ─▶ the next requests of an API are answered with an error, and nothing of them is done
    delay ─▶ requests of an API wait before anything is done

A broker without faults has its own routes. Where there are some, routes of the same APIs stand in front of them in the
table that the connections use, for as long as there are. All of it is for the broker's event loop.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

from fleuve.kafka.api import RequestContext
from fleuve.kafka.codes import Refused
from fleuve.kafka.handlers import produce
from fleuve.kafka.table import Route, Table
from fleuve.testing.refusals import MESSAGE, refusal
from fleuve.wire.apis import APIS
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import api_versions

_PRODUCE = produce.API.key


class Fault:
    """Something that goes wrong on purpose, until it has happened `times`, or is cleared, or its `with` ends."""

    def __init__(
        self, key: int, error: ErrorCode | None, delay_s: float, times: int | None, on_clear: Callable[[Fault], None]
    ) -> None:
        self.key = key
        self.api = APIS[key].name
        """Kafka's name of the API."""
        self.error = error
        """Kafka's error code; None for a delay."""
        self.delay_s = delay_s
        self.left = times
        """How often it is still to happen; None: always."""
        self.happened = 0
        """How often it has happened."""
        self.cleared = False
        self._on_clear = on_clear
        self._changed = threading.Condition()

    def clear(self) -> None:
        """Let it happen no more. What waits is served."""
        self._on_clear(self)

    def wait(self, times: int = 1, timeout: float = 10.0) -> None:
        """Return when it has happened that often; raise TimeoutError if it has not in so many seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.happened >= times, timeout):
                raise TimeoutError(f"{self!r} after {timeout:g} s; {times} times were waited for")

    def note(self) -> None:
        """Note that it happened."""
        with self._changed:
            self.happened += 1
            self._changed.notify_all()

    def __enter__(self) -> Fault:
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def __repr__(self) -> str:
        what = f"delay of {self.delay_s:g} s" if self.error is None else self.error.name
        left = "until cleared" if self.left is None else f"{self.left} more times"
        return f"<Fault {self.api}: {what}, happened {self.happened} times, {left}>"


class Faults:
    """The faults of a broker; they outlive its stop and start."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._waiting: dict[asyncio.Event, Fault] = {}
        """What ends the wait of each request that waits, and for which fault it does."""
        self._table: Table | None = None
        self._served: dict[int, Route] = {}
        self._produce: produce.Handler | None = None

    def attach(self, table: Table) -> None:
        """Put the faults in front of what a broker serves."""
        self._table = table
        self._served = dict(table.routes)
        self._produce = table.produce
        for key in {fault.key for fault in self._faults}:
            self._renew(key)

    def detach(self) -> None:
        """End what waits: the broker stops."""
        self._table = None
        for ended in self._waiting:
            ended.set()

    def add(self, fault: Fault) -> None:
        """Let something go wrong from now on."""
        self._faults.append(fault)
        self._renew(fault.key)

    def remove(self, fault: Fault) -> None:
        """Let it happen no more, and go on with what waits for it."""
        fault.cleared = True
        for ended, cause in self._waiting.items():
            if cause is fault:
                ended.set()
        if fault in self._faults:
            self._faults.remove(fault)
            self._renew(fault.key)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        for fault in {*self._faults, *self._waiting.values()}:
            self.remove(fault)

    def _renew(self, key: int) -> None:
        table = self._table
        if table is None:
            return
        served = self._served[key]
        wanted = any(fault.key == key for fault in self._faults)
        if key == _PRODUCE:
            assert self._produce is not None
            table.produce = _FaultyProduce(self._produce, self) if wanted else self._produce
        else:
            table.routes[key] = _FaultyRoute(served, self) if wanted else served

    # ------------------------------------------------------------ what happens to a request

    def is_slow(self, key: int) -> bool:
        """Return whether requests of an API have to wait."""
        return any(fault.key == key and fault.error is None for fault in self._faults)

    async def wait(self, key: int) -> None:
        """Wait as long as the test wants it."""
        for fault in [fault for fault in self._faults if fault.key == key and fault.error is None]:
            if fault not in self._faults:
                continue  # It happened for the last time, or was cleared, while this request waited for another.
            self._use(fault)
            ended = asyncio.Event()
            self._waiting[ended] = fault
            fault.note()
            try:
                async with asyncio.timeout(fault.delay_s):
                    await ended.wait()
            except TimeoutError:
                pass
            finally:
                del self._waiting[ended]

    def take_failure(self, key: int) -> Fault | None:
        """Return what a request of an API is to fail with now. Who lets it fail notes it, or gives it back."""
        for fault in self._faults:
            if fault.key == key and fault.error is not None:
                self._use(fault)
                return fault
        return None

    def give_back(self, fault: Fault) -> None:
        """Let a failure that was taken, and could not happen, happen to the next request."""
        if fault.left is not None:
            fault.left += 1
        if fault not in self._faults and not fault.cleared:
            self._faults.insert(0, fault)
            self._renew(fault.key)

    def _use(self, fault: Fault) -> None:
        if fault.left is not None:
            fault.left -= 1
            if not fault.left:
                self._faults.remove(fault)
                self._renew(fault.key)


class _FaultyRoute(Route):
    """Stands in front of the route of any API but Produce."""

    __slots__ = ("_faults", "_served")

    def __init__(self, served: Route, faults: Faults) -> None:
        super().__init__(served.api, self._answer, served.stats)
        self._served = served
        self._faults = faults
        if served.api.key == api_versions.KEY:
            self.encode = _encode_api_versions

    async def _answer(self, request: Any, context: RequestContext) -> Any:
        faults, served = self._faults, self._served
        assert served.handle is not None
        await faults.wait(served.api.key)
        fault = faults.take_failure(served.api.key)
        if fault is not None and fault.error is not None:
            answer = await refusal(served.api.key, served.handle, request, context, fault.error)
            if answer is not None:
                fault.note()
                return answer
            faults.give_back(fault)
        return await served.handle(request, context)


def _encode_api_versions(response: Any, version: int) -> bytes:
    """Say that the version is unknown in the form that every client reads (KIP-511)."""
    unknown = response.error_code == ErrorCode.UNSUPPORTED_VERSION
    return api_versions.encode_response(response, 0 if unknown else version)


class _FaultyProduce(produce.Handler):
    """Stands in front of the Produce handler."""

    def __init__(self, served: produce.Handler, faults: Faults) -> None:
        vars(self).update(vars(served))
        self._faults = faults

    def begin(
        self,
        request: Any,
        context: RequestContext,
        on_complete: Callable[[Any], None],
        checked: produce.Checked | None = None,
    ) -> produce.Pending | None:
        faults = self._faults
        if checked is None and faults.is_slow(_PRODUCE):
            # Then `check` is called, which waits, and this again.
            return None
        count = sum(len(topic.partition_data) for topic in request.topic_data)
        fault = faults.take_failure(_PRODUCE) if count else None
        if fault is None or fault.error is None:
            return super().begin(request, context, on_complete, checked)
        fault.note()
        pending = produce.Pending(count, on_complete, request, context.api_version)
        for topic in request.topic_data:
            for partition in topic.partition_data:
                # A view of the request's memory, which is somebody else's from here on.
                partition.records = None
        for slot in range(count):
            pending.fail(slot, Refused(fault.error, MESSAGE))
        return pending

    async def check(self, request: Any, context: RequestContext) -> produce.Checked:
        await self._faults.wait(_PRODUCE)
        return await super().check(request, context)
