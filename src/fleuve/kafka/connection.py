"""One client's connection: bytes in, answers out, in order, within bounds. The hot path of Produce.

    bytes ─▶ frames ─▶ Produce ──────────▶ log ─▶ slots, in order of arrival ─▶ one write
                  └─▶ anything else ─▶ lane: one task, one request at a time ─┘

Kafka handles one request of a connection at a time. Here Produce requests overlap: each is handed to the log where it
is received, synchronously, and its slot in the queue of answers is filled when its batches are stored. Any other
request waits in the lane until all before it are answered, and what comes behind it waits for it. So does a
Produce request that must wait for something before the log can have it; but the lane does not wait for its answer.

How frames are received, and what memory they take, is `receiving.py`'s business.

Bounds: requests without answer, by number and bytes; unsent answers; memory. Beyond any of them nothing more is read,
and the client feels it in its socket. Nothing here is done for each record, and nothing is logged for each request.
"""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from struct import Struct
from typing import Any, Final, cast

from fleuve.engine.access.service import ANONYMOUS
from fleuve.kafka.api import RequestContext
from fleuve.kafka.connections import Connections
from fleuve.kafka.dispatch import Unanswerable, log_bug, respond
from fleuve.kafka.handlers import api_versions, produce
from fleuve.kafka.queued import QUEUED_OVERHEAD_BYTES, QueuedRequest
from fleuve.kafka.receiving import ENDING, IN_FLIGHT, SMALL_REST_BYTES, UNSENT, Receiving
from fleuve.wire.errors import DecodeError
from fleuve.wire.header import RequestHeader, decode_request_header
from fleuve.wire.message import Buffer

LANE_TURN: Final = 8
"""How many requests of one connection are served one after another before others have their turn."""
JOIN_BYTES: Final = 64 * 1024
"""Answers are joined for one write up to this size; larger ones are passed on as they are."""

_read_api = Struct(">hh").unpack_from
_prefix = Struct(">ii").pack
_prefix_flexible = Struct(">iix").pack
_PRODUCE: Final = produce.API.key
_API_VERSIONS: Final = api_versions.API.key


class Connection(Receiving):
    """The protocol of one socket."""

    __slots__ = (
        "_client_id",
        "_context",
        "_host",
        "_in_flight_bytes",
        "_lane",
        "_listener",
        "_on_produced",
        "_out_bytes",
        "_queue",
        "_served_since",
        "_slots",
        "_software",
        "_waiter",
        "_written",
        "advertised",
        "id",
        "progress",
        "taken_bytes",
        "unsent_bytes",
    )

    def __init__(self, shared: Connections, listener: str, advertised: tuple[str, int]) -> None:
        super().__init__(shared)
        self._listener = listener
        self.advertised = advertised
        self.id = 0
        self._host = ""
        self._client_id: str | None = None
        self._software = ("unknown", "unknown")
        self._context: RequestContext | None = None
        # Requests without answer.
        self._slots: deque[produce.Pending] = deque()
        self._queue: deque[QueuedRequest] = deque()
        self._in_flight_bytes = 0
        self._lane: asyncio.Task[None] | None = None
        self._served_since = 0.0
        self._waiter: asyncio.Future[None] | None = None
        self._on_produced = self._produced
        # Answers.
        self._out_bytes = 0
        self._written = 0
        self.unsent_bytes = 0
        """Answers that the socket has not taken, as counted in the fetch memory."""
        self.progress = 0.0
        """When the socket was last seen to take some."""
        self.taken_bytes = 0
        """What it has taken, as far as it was looked at."""

    # ------------------------------------------------------------ come and go

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection in, or close it if there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        peer = transport.get_extra_info("peername")
        self._host = peer[0] if isinstance(peer, tuple) and peer else "unknown"
        shared = self._shared
        refused = shared.admit(self, self._host)
        if refused is not None:
            shared.stats.connections_refused += 1
            self._complain("connection refused", refused)
            self._transport.abort()
            return
        self._closing = False
        self._active = self.progress = shared.loop.time()
        high = shared.limits.write_high
        self._transport.set_write_buffer_limits(high=high, low=high // 4)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything that was under way; the log finishes what it has."""
        if not self.id:
            return
        self._closing = True
        shared = self._shared
        if self._lane is not None:
            self._lane.cancel()
        self._release_own()
        while self._queue:
            self._release(self._queue.popleft())
        self._slots.clear()
        self._out.clear()
        shared.fetch_memory.give_back(self.unsent_bytes)
        self.unsent_bytes = 0
        shared.leave(self, self._host)
        self.id = 0
        # The bound method holds the connection, which holds it: help the collector.
        self._on_produced = _ignore

    def eof_received(self) -> bool:
        """Close: a client that sends no more takes no more, as in Kafka."""
        return False

    def abort(self, reason: str | None) -> None:
        """Close at once; what is unsent is lost. Complain about the client if there is a reason."""
        if reason is not None:
            self._complain("connection closed", reason)
        self._closing = True
        self._transport.abort()

    def drain(self) -> None:
        """Read nothing more, and close when everything received is answered."""
        self._pause(ENDING)
        self._close_if_drained()

    def _close_if_drained(self) -> None:
        if self._shared.draining and not (self._slots or self._queue or self._lane or self._closing):
            self._end()

    def _end(self) -> None:
        """Write what is answered, then close."""
        self.flush()
        self._closing = True
        self._transport.close()

    def look_after(self, now: float) -> None:
        """Close the connection if it is idle; answer Produce requests whose time is over without a result."""
        if self._slots and now >= self._slots[0].deadline:
            for pending in self._slots:
                pending.done = pending.done or now >= pending.deadline
            self._answer()
            self.flush()
        limits = self._shared.limits
        silent_s = now - self._active
        if limits.idle_s is not None and silent_s >= limits.idle_s and not (self._slots or self._lane):
            if self.unsent_bytes and now - self.progress < limits.idle_s:
                return
            self._shared.stats.connections_expired += 1
            self._closing = True
            # Nobody may be at the other end to take what is unsent.
            self._transport.abort()

    @property
    def is_held_up(self) -> bool:
        """Whether nothing is read because the log has not stored yet what came before."""
        return bool(self._paused & IN_FLIGHT) and not (self._queue and self._queue[0].is_long_in_coming)

    def stuck_bytes(self, now: float) -> int:
        """Return the request memory held by what waits in the lane behind a long poll or a client that reads nothing.

        0 if there is hardly any, or not for long.
        """
        shared = self._shared
        held = sum(queued.size for queued in self._queue)
        if self._closing or held <= SMALL_REST_BYTES or now - self._served_since < shared.limits.shed_s:
            return 0
        if self._paused & UNSENT:
            return held if now - self.progress >= shared.limits.shed_s else 0
        return held if self._queue[0].is_long_in_coming else 0

    # ------------------------------------------------------------ requests

    def _take(self, view: memoryview, size: int, slab: bytearray | None = None) -> None:
        """Handle one frame; `slab` is its memory if it has its own. Raises DecodeError."""
        if self._lane is None and size >= 4:
            key, version = _read_api(view)
            route = self._shared.table.produce_route
            if key == _PRODUCE and route is not None and route.api.serves(version):
                header, position = decode_request_header(view)
                context = self._produce_context(header)
                request = route.decode(view, position, version)
                if self._produce(header, request, context, size, self._active, None):
                    if slab is not None:
                        self._shared.slabs.give_back(slab)
                        self._shared.admission.requests.give_back(size)
                    return
        if slab is None:
            view = memoryview(bytes(view))
            size += QUEUED_OVERHEAD_BYTES
            self._shared.admission.requests.hold(size)
        self._queue.append(QueuedRequest(view, size, self._active, slab))
        self._in_flight_bytes += size
        if self._lane is None:
            self._lane = self._shared.tasks.create_task(self._run_lane())
        self._pause_if_full()

    def _produce(
        self,
        header: RequestHeader,
        request: Any,
        context: RequestContext,
        size: int,
        received: float,
        checked: produce.Checked | None,
    ) -> bool:
        """Hand a Produce request to the log; return False if something must be awaited before."""
        handler = self._shared.table.produce
        assert handler is not None
        try:
            pending = handler.begin(request, context, self._on_produced, checked)
        except Exception as error:
            self._bug(error)
            return True
        if pending is None:
            return False
        pending.correlation_id = header.correlation_id
        pending.size = size
        pending.received = received
        pending.deadline = received + request.timeout_ms / 1000
        self._slots.append(pending)
        self._in_flight_bytes += size
        if pending.done:
            self._answer()
        else:
            self._pause_if_full()
        return True

    def _produce_context(self, header: RequestHeader) -> RequestContext:
        """Return the context of a Produce request: the last one, as long as nothing in it differs."""
        context = self._context
        if context is None or context.api_version != header.api_version or context.client_id != header.client_id:
            context = self._context = self._context_of(header)
        return context

    def _context_of(self, header: RequestHeader) -> RequestContext:
        self._client_id = header.client_id
        return RequestContext(
            api_version=header.api_version,
            connection_id=self.id,
            listener=self._listener,
            advertised=self.advertised,
            client_id=header.client_id,
            host=self._host,
            takes_answers=self.taken_bytes >= JOIN_BYTES and not self._transport.get_write_buffer_size(),
            principal=ANONYMOUS,
            client_software_name=self._software[0],
            client_software_version=self._software[1],
            authorizer=self._shared.authorizer,
        )

    def _pause_if_full(self) -> None:
        limits = self._shared.limits
        if (
            len(self._slots) + len(self._queue) >= limits.requests_max
            or self._in_flight_bytes >= limits.request_bytes_max
            or (self._queue and not self._shared.admission.requests.available)
        ):
            self._pause(IN_FLIGHT)

    def _resume_if_free(self) -> None:
        limits = self._shared.limits
        if (
            self._paused & IN_FLIGHT
            and len(self._slots) + len(self._queue) <= limits.requests_max // 2
            and self._in_flight_bytes <= limits.request_bytes_max // 2
            and (not self._queue or self._shared.admission.requests.available)
        ):
            self._resume(IN_FLIGHT)

    # ------------------------------------------------------------ the lane

    async def _run_lane(self) -> None:
        loop = self._shared.loop
        served = 0
        try:
            while self._queue and not self._closing:
                queued = self._queue[0]
                self._served_since = loop.time()
                await self._serve(queued)
                if self._closing:
                    return
                self._queue.popleft()
                self._release(queued)
                if self._out and not self._dirty:
                    self.flush()
                self._resume_if_free()
                served += 1
                if served % LANE_TURN == 0:
                    # Most requests are answered without a wait: others come between only here.
                    await asyncio.sleep(0)
        except DecodeError as error:
            self._malformed(error)
        except Unanswerable as error:
            self._complain("connection closed", str(error))
            self._end()
        except Exception as error:
            self._bug(error)
        finally:
            self._lane = None
        self._close_if_drained()

    async def _serve(self, queued: QueuedRequest) -> None:
        """Serve one request of the lane; a Produce request is only begun."""
        view = queued.view
        header, position = decode_request_header(view)
        key, version = header.api_key, header.api_version
        route = self._shared.table.routes.get(key)
        if route is None or not route.api.serves(version):
            if key != _API_VERSIONS:
                raise DecodeError(f"API {key} in version {version} is not served")
            await self._until_answered()
            self._write_answer(header.correlation_id, [api_versions.unsupported()], flexible=False)
            return
        if key == _PRODUCE:
            await self._serve_produce(queued, header, position)
            return
        await self._until_answered()
        await self._until_writable()
        context = self._context_of(header)
        if key == _API_VERSIONS and version >= api_versions.SOFTWARE_VERSION_MIN:
            self._learn_software(route.decode(view, position, version), version)
        parts = await respond(route, view, position, context, stats=self._shared.stats, logger=self._shared.logger)
        if self._closing:
            return
        self._write_answer(header.correlation_id, parts, flexible=route.has_flexible_header(version))
        route.stats.answered(self._shared.loop.time() - queued.received)

    async def _serve_produce(self, queued: QueuedRequest, header: RequestHeader, position: int) -> None:
        route, handler = self._shared.table.produce_route, self._shared.table.produce
        assert route is not None
        assert handler is not None
        context = self._produce_context(header)
        request = route.decode(queued.view, position, header.api_version)
        await self._until_writable()
        if not self._produce(header, request, context, queued.size, queued.received, None):
            checked = await handler.check(request, context)
            if not self._closing:
                self._produce(header, request, context, queued.size, queued.received, checked)

    def _learn_software(self, request: Any, version: int) -> None:
        if api_versions.software_is_valid(request, version):
            self._software = (request.client_software_name, request.client_software_version)
            self._context = None

    def _release(self, queued: QueuedRequest) -> None:
        self._in_flight_bytes -= queued.size
        memory = self._shared.admission.requests
        if queued.slab is None:
            memory.let_go(queued.size)
        else:
            self._shared.slabs.give_back(queued.slab)
            memory.give_back(queued.size)

    async def _until_answered(self) -> None:
        while self._slots:
            await self._wait()

    async def _until_writable(self) -> None:
        while self._paused & UNSENT:
            await self._wait()

    async def _wait(self) -> None:
        self._waiter = self._shared.loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # ------------------------------------------------------------ answers

    def _produced(self, pending: produce.Pending) -> None:
        """Take a Produce request's results."""
        pending.done = True
        slots = self._slots
        if slots and slots[0] is pending:
            self._answer()
            if self._out and not self._dirty:
                self._dirty = True
                self._shared.write_soon(self)

    def _answer(self) -> None:
        """Answer all requests at the head whose results are there."""
        shared = self._shared
        handler, route = shared.table.produce, shared.table.produce_route
        assert handler is not None
        assert route is not None
        now = shared.loop.time()
        slots = self._slots
        while slots and slots[0].done:
            pending = slots.popleft()
            self._in_flight_bytes -= pending.size
            route.stats.answered(now - pending.received)
            try:
                body = handler.answer(pending)
            except Exception as error:
                self._bug(error)
                return
            if body is None:
                if handler.was_refused(pending):
                    # With acks=0 this is the only way to tell.
                    self._end()
                    return
            elif pending.version >= route.flexible:
                self._out.append(_prefix_flexible(len(body) + 5, pending.correlation_id))
                self._out.append(body)
                self._out_bytes += len(body) + 9
            else:
                self._out.append(_prefix(len(body) + 4, pending.correlation_id))
                self._out.append(body)
                self._out_bytes += len(body) + 8
        if self._paused & IN_FLIGHT:
            self._resume_if_free()
        if not slots:
            self._wake()
            if shared.draining:
                self._close_if_drained()

    def _write_answer(self, correlation_id: int, parts: list[Buffer], *, flexible: bool) -> None:
        size = sum(map(len, parts))
        if flexible:
            self._out.append(_prefix_flexible(size + 5, correlation_id))
        else:
            self._out.append(_prefix(size + 4, correlation_id))
        self._out += parts
        self._out_bytes += size + (9 if flexible else 8)

    def flush(self) -> None:
        """Write all answers that are there, at once."""
        self._dirty = False
        out, self._out = self._out, []
        size, self._out_bytes = self._out_bytes, 0
        if not out or self._closing:
            return
        if size <= JOIN_BYTES:
            self._transport.write(b"".join(out))
        else:
            # The last one by itself: asyncio's writelines (Python 3.12 and 3.13) forgets to say that it is full.
            last = out.pop()
            self._transport.writelines(out)
            self._transport.write(last)
        self._written += size
        self._shared.stats.sent_bytes += size
        self._shared.unsent[self] = None
        if size > JOIN_BYTES:
            # Before the Fetch handler gives back what it has taken for the same bytes.
            self.account()

    def account(self) -> None:
        """Bring up to date what the fetch memory knows of this connection, and whether its socket makes progress."""
        shared = self._shared
        if not self.id:
            return
        unsent = self._transport.get_write_buffer_size()
        # What left since the last look: what was unsent then, and what was written since, less what is unsent now.
        taken = self._written + self.unsent_bytes - unsent
        if taken > 0:
            self.taken_bytes += taken
            self.progress = shared.loop.time()
        self._written = 0
        if unsent > self.unsent_bytes:
            shared.fetch_memory.force(unsent - self.unsent_bytes)
            self.unsent_bytes = unsent
        elif unsent < self.unsent_bytes:
            released, self.unsent_bytes = self.unsent_bytes - unsent, unsent
            shared.fetch_memory.give_back(released)
        if not unsent:
            shared.unsent.pop(self, None)

    def pause_writing(self) -> None:
        """Read nothing more until the client takes its answers."""
        self._pause(UNSENT)
        self._shared.loop.call_soon(self.account)

    def resume_writing(self) -> None:
        """Go on."""
        self.account()
        self._resume(UNSENT)
        self._wake()

    # ------------------------------------------------------------ faults

    def _malformed(self, error: DecodeError) -> None:
        self._shared.stats.malformed += 1
        self._complain("connection closed: not a request that this broker serves", str(error))
        self._end()

    def _bug(self, error: Exception) -> None:
        """Log an error of our own, and close: what state the connection is in, nobody knows."""
        log_bug(self._shared.logger, "connection", self._host, self._client_id, error)
        self._end()

    def _complain(self, event: str, reason: str) -> None:
        self._shared.complaints.complain(
            event,
            now=self._shared.loop.time(),
            address=self._host,
            client_id=self._client_id,
            reason=reason,
        )


def _ignore(pending: produce.Pending) -> None:
    """Take the results of a request whose connection is gone."""
