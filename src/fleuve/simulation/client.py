"""A Kafka client of few words over the simulated network: one connection at a time, requests in flight, no retries.

It hides nothing: what ends a connection ends every request on it. What is random about it comes from its own source of
chance, so that one client's doings do not depend on another's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from random import Random
from typing import Any, Final

from fleuve.simulation.history import History, Violation
from fleuve.simulation.network import Network, Socket
from fleuve.wire.header import RequestHeader, decode_response_header, encode_request_header, response_is_flexible

BROKER: Final = ("broker", 9092)
ANSWER_S_MAX: Final = 20.0
"""How long a client waits for an answer before it gives its connection up."""


class Lost(Exception):
    """The connection ended, or the answer took too long: nobody knows what became of the request."""


class Client:
    """One client with its connection, which is made anew after it ended."""

    def __init__(self, name: str, network: Network, chance: Random, history: History) -> None:
        self.name = name
        self.chance = chance
        self.history = history
        self._network = network
        self._socket: Socket | None = None
        self._waiting: deque[tuple[int, Any, int, asyncio.Future[Any]]] = deque()
        self._correlation_id = 0
        self._reader: asyncio.Task[None] | None = None
        self.answers = 0

    @property
    def connected(self) -> bool:
        """Whether there is a connection that has not ended."""
        return self._socket is not None and not self._socket.ended

    async def connect(self) -> Socket:
        """Return the connection, a new one if need be. Raises Lost."""
        if self._socket is not None and not self._socket.ended:
            return self._socket
        self.hang_up()
        socket = self._socket = await self.connect_raw()
        self._reader = asyncio.get_running_loop().create_task(self._read(socket, self._waiting))
        return socket

    async def call(self, codec: Any, request: Any, version: int, what: str) -> Any:
        """Send one request and return its answer. Raises Lost."""
        return await self.answer(await self.send(codec, request, version, what))

    async def send(self, codec: Any, request: Any, version: int, what: str) -> asyncio.Future[Any]:
        """Send a request; the future has its answer, or Lost. Raises Lost."""
        socket = await self.connect()
        return self.send_on(socket, codec, request, version, what)

    def send_on(self, socket: Socket, codec: Any, request: Any, version: int, what: str) -> asyncio.Future[Any]:
        """Send a request by this connection, which may have ended: then the future has Lost."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        if socket.ended or socket is not self._socket:
            _lose(answer)
            return answer
        frame = self._frame(codec, request, version, what)
        self._waiting.append((self._correlation_id, codec, version, answer))
        socket.send(frame)
        return answer

    async def send_unanswered(self, codec: Any, request: Any, version: int, what: str) -> None:
        """Send a request that gets no answer. Raises Lost."""
        (await self.connect()).send(self._frame(codec, request, version, what))

    def _frame(self, codec: Any, request: Any, version: int, what: str) -> bytes:
        self._correlation_id += 1
        header = RequestHeader(
            api_key=codec.KEY, api_version=version, correlation_id=self._correlation_id, client_id=self.name
        )
        body: bytes = encode_request_header(header) + codec.encode_request(request, version)
        self.history.note(self.name, f"{self._correlation_id}> {what}")
        return len(body).to_bytes(4, "big") + body

    async def answer(self, answer: asyncio.Future[Any]) -> Any:
        """Return the answer. Raises Lost, having given the connection up, if it takes too long."""
        await asyncio.wait([answer], timeout=ANSWER_S_MAX)
        if not answer.done():
            self.history.note(self.name, "gives its connection up")
            self.abandon()
        return await answer

    async def connect_raw(self) -> Socket:
        """Return a connection of which the client takes no care. Raises Lost."""
        try:
            return await self._network.connect(*BROKER, source=self.name)
        except ConnectionRefusedError as error:
            await asyncio.sleep(0.05 + 0.1 * self.chance.random())
            raise Lost(str(error)) from error

    def note(self, what: str) -> None:
        """Add a line to the history."""
        self.history.note(self.name, what)

    # ------------------------------------------------------------ the end of a connection

    def hang_up(self) -> None:
        """End the connection in good order."""
        if self._socket is not None:
            self._socket.close()
        self._forget()

    def reset(self) -> None:
        """End the connection; what is on its way is lost."""
        if self._socket is not None:
            self._socket.reset()
        self._forget()

    def abandon(self) -> None:
        """Go; what was sent still arrives at the broker, and perhaps late."""
        if self._socket is not None:
            self._socket.abandon()
        self._forget()

    def _forget(self) -> None:
        self._socket = None
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None
        waiting, self._waiting = self._waiting, deque()
        for *_, answer in waiting:
            _lose(answer)

    async def _read(self, socket: Socket, waiting: deque[tuple[int, Any, int, asyncio.Future[Any]]]) -> None:
        try:
            while True:
                frame = await socket.receive_frame()
                if not waiting:
                    raise Violation(9, f"{self.name} got an answer without a question")
                correlation_id, codec, version, answer = waiting.popleft()
                flexible = response_is_flexible(codec.KEY, version)
                answered, position = decode_response_header(frame, flexible)
                if answered != correlation_id:
                    raise Violation(9, f"{self.name} got answer {answered} to question {correlation_id}")
                self.answers += 1
                if not answer.done():
                    answer.set_result(codec.decode_response(frame, position, version))
        except ConnectionResetError:
            self.history.note(self.name, "connection lost")
            while waiting:
                _lose(waiting.popleft()[-1])
        except Violation as error:
            asyncio.get_running_loop().call_exception_handler({"exception": error})


def _lose(answer: asyncio.Future[Any]) -> None:
    if not answer.done():
        answer.set_exception(Lost("the connection ended"))
        # Who asked may have gone.
        answer.exception()
