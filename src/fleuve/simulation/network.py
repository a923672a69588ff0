"""A network inside of the process: connections whose bytes take their time, come in pieces, stall and get lost.

The broker's end of a connection is a transport as asyncio has them, driving the same protocol that a socket drives. The
client's end is `Socket`. What is written arrives in order or not at all; a connection that is reset, or whose broker
was killed, loses what was on its way.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context, copy_context
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from fleuve.kafka.connection import Connection
from fleuve.kafka.connections import Connections
from fleuve.kafka.listener import CannotListen, ListenerAddress
from fleuve.simulation.loop import Process, VirtualLoop, current_process

PORT_FIRST: Final = 20_000


@dataclass(slots=True)
class NetworkWeather:
    """How the network behaves: seconds, and probabilities for each piece that is on its way."""

    delay_s: float = 0.001
    splits: float = 0.1
    stalls: float = 0.0
    stall_s: float = 1.0
    resets: float = 0.0


class _Stream:
    """One direction of a connection: bytes that were written and have not arrived."""

    def __init__(self, network: Network, deliver: Callable[[bytes], None], end: Callable[[], None]) -> None:
        self._network = network
        self._deliver = deliver
        self._end = end
        self._pieces: deque[Any] = deque()
        self.size = 0
        self._under_way: asyncio.TimerHandle | None = None
        self._held = False
        self._ending = False
        self._dead = False
        self.on_sent: Callable[[], None] | None = None
        self.on_reset: Callable[[], None]

    def write(self, data: Any) -> None:
        # As it is: whoever wrote a view of something must leave that as it is until it is sent.
        if data and not self._dead:
            self._pieces.append(data)
            self.size += len(data)
            self._go_on()

    def end(self) -> None:
        """Tell the receiver, behind all that was written, that nothing more comes."""
        self._ending = True
        self._go_on()

    def cut(self) -> None:
        """Lose what is on its way."""
        self._dead = True
        self._pieces.clear()
        self.size = 0
        if self._under_way is not None:
            self._under_way.cancel()
            self._under_way = None

    def hold(self) -> None:
        """Deliver nothing until `release`."""
        self._held = True

    def release(self) -> None:
        self._held = False
        self._go_on()

    def _go_on(self) -> None:
        if self._under_way is None and not self._held and not self._dead and (self._pieces or self._ending):
            network = self._network
            self._under_way = network.loop.call_later(network.delay(), self._arrive, context=network.context)

    def _arrive(self) -> None:
        self._under_way = None
        if self._held or self._dead:
            return
        if self._network.resets():
            self.on_reset()
            return
        if self._pieces:
            data = b"".join(self._pieces)
            self._pieces.clear()
            cut = self._network.cut(len(data))
            if cut < len(data):
                self._pieces.append(data[cut:])
            self.size -= cut
            self._deliver(data[:cut])
            if self.on_sent is not None and not self._dead:
                self.on_sent()
        elif self._ending:
            self._ending = False
            self._end()
        self._go_on()

    def put_back(self, data: bytes) -> None:
        """Take what the receiver did not take, before everything else."""
        if not self._dead:
            self._pieces.appendleft(data)
            self.size += len(data)


class _Transport(asyncio.Transport):
    """The broker's end. Everything that calls into the broker runs as a part of its process."""

    def __init__(self, pair: _Pair, peername: tuple[str, int], process: Process | None) -> None:
        super().__init__({"peername": peername})
        self._pair = pair
        self._process = process
        self._protocol: asyncio.BufferedProtocol
        self._closing = False
        self._lost = False
        self._paused = False
        self._high, self._low = 64 * 1024, 16 * 1024
        self._writing_paused = False

    @property
    def alive(self) -> bool:
        return self._process is None or self._process.alive

    # -- called by the protocol

    def write(self, data: Any) -> None:
        """Send the data."""
        self.writelines([data])

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        """Send all of the data."""
        if self._closing or not self.alive:
            return
        for data in list_of_data:
            self._pair.to_client.write(data)
        if not self._writing_paused and self._pair.to_client.size > self._high:
            self._writing_paused = True
            self._protocol.pause_writing()

    def get_write_buffer_size(self) -> int:
        """Return what the client has not taken."""
        return self._pair.to_client.size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the low and the high limit."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Say from when on the protocol is to pause."""
        self._high = 64 * 1024 if high is None else high
        self._low = self._high // 4 if low is None else low

    def pause_reading(self) -> None:
        """Deliver nothing until `resume_reading`."""
        self._paused = True
        self._pair.to_broker.hold()

    def resume_reading(self) -> None:
        """Go on delivering."""
        self._paused = False
        if self.alive:
            self._pair.to_broker.release()

    def is_reading(self) -> bool:
        """Return whether bytes are delivered."""
        return not self._paused and not self._closing

    def is_closing(self) -> bool:
        """Return whether it is closed, or about to be."""
        return self._closing

    def close(self) -> None:
        """Send what is left, then end."""
        if not self._closing and self.alive:
            self._closing = True
            self._pair.to_broker.cut()
            self._pair.to_client.end()
            self._pair.network.loop.call_soon(self.lose, None)

    def abort(self) -> None:
        """End at once; what is unsent is lost."""
        if self.alive and not self._lost:
            self._closing = True
            self._pair.to_broker.cut()
            self._pair.network.loop.call_soon(self._pair.reset)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Say who gets the bytes."""
        assert isinstance(protocol, asyncio.BufferedProtocol)
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return who gets the bytes."""
        return self._protocol

    # -- called by the network

    def deliver(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            if self._paused or self._closing or not self.alive:
                self._pair.to_broker.put_back(data[position:])
                return
            buffer = memoryview(self._protocol.get_buffer(-1))
            count = min(len(buffer), len(data) - position)
            buffer[:count] = data[position : position + count]
            position += count
            self._protocol.buffer_updated(count)

    def sent(self) -> None:
        if self._writing_paused and self._pair.to_client.size <= self._low and not self._lost:
            self._writing_paused = False
            self._protocol.resume_writing()

    def ended(self) -> None:
        if not self._closing and not self._protocol.eof_received():
            self.close()

    def lose(self, error: Exception | None) -> None:
        if not self._lost:
            self._lost = self._closing = True
            self._protocol.connection_lost(error)


class Socket:
    """The client's end of a connection."""

    def __init__(self, pair: _Pair) -> None:
        self._pair = pair
        self._received = bytearray()
        self._waiting: asyncio.Future[None] | None = None
        self.ended = False
        """Nothing more comes, and nothing more can be sent."""
        self.name = ""

    def send(self, data: bytes) -> None:
        """Send; raises ConnectionResetError if the connection has ended."""
        if self.ended:
            raise ConnectionResetError("the connection has ended")
        self._pair.to_broker.write(data)

    async def receive_frame(self) -> memoryview:
        """Return the next frame without its size. Raises ConnectionResetError. For one task only."""
        received = self._received
        while len(received) < 4 or len(received) < 4 + int.from_bytes(received[:4], "big"):
            if self.ended:
                raise ConnectionResetError("the connection has ended")
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting
        size = 4 + int.from_bytes(received[:4], "big")
        frame = bytes(received[4:size])
        del received[:size]
        return memoryview(frame)

    async def until_ended(self) -> None:
        """Return when the connection has ended, whatever comes before."""
        while not self.ended:
            self._waiting = asyncio.get_running_loop().create_future()
            await self._waiting

    def stop_reading(self) -> None:
        """Take nothing until `start_reading`."""
        self._pair.to_client.hold()

    def start_reading(self) -> None:
        """Take what comes again."""
        self._pair.to_client.release()

    def close(self) -> None:
        """End the connection in good order."""
        self._end()
        self._pair.to_broker.end()

    def reset(self) -> None:
        """End the connection; what is on its way is lost."""
        self._end()
        self._pair.reset()

    def abandon(self) -> None:
        """Go; the broker gets what is on its way to it, perhaps late, and hears of the end much later."""
        self._end()
        network, loop = self._pair.network, self._pair.network.loop
        self._pair.to_broker.hold()
        loop.call_later(network.late(), self._pair.to_broker.release, context=network.context)
        loop.call_later(30.0, self._pair.reset, context=self._pair.network.context)

    # -- called by the network

    def deliver(self, data: bytes) -> None:
        """Take what has come."""
        self._received += data
        self._wake()

    def _end(self) -> None:
        self.ended = True
        self._wake()

    lose = _end

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)


class _Pair:
    """Both ends of one connection."""

    def __init__(self, network: Network, listening: SimulatedListener, peername: tuple[str, int]) -> None:
        self.network = network
        self.transport = _Transport(self, peername, listening.process)
        self._context = listening.context
        self.socket = Socket(self)
        self.to_broker = _Stream(network, self._in_broker(self.transport.deliver), self._in_broker(self._client_ended))
        self.to_client = _Stream(network, self.socket.deliver, self._broker_ended)
        self.to_broker.on_reset = self.to_client.on_reset = self.reset
        self.to_client.on_sent = self._in_broker(self.transport.sent)
        self._over = False

    def _in_broker(self, callback: Callable[..., None]) -> Callable[..., None]:
        """Return the callback as a part of the broker's process: it is not called when that is dead."""
        transport = self.transport

        def call(*args: Any) -> None:
            if transport.alive:
                self._context.copy().run(callback, *args)

        return call

    def begin(self, protocol: Callable[[], asyncio.BufferedProtocol]) -> None:
        def made() -> None:
            self.transport.set_protocol(protocol())
            self.transport.get_protocol().connection_made(self.transport)

        self._in_broker(made)()

    def reset(self) -> None:
        if self._over:
            return
        self._over = True
        self.network.pairs.pop(self, None)
        self.to_broker.cut()
        self.to_client.cut()
        self.socket.lose()
        self._in_broker(self.transport.lose)(ConnectionResetError("reset"))

    def _broker_ended(self) -> None:
        self.network.pairs.pop(self, None)
        self._over = True
        self.to_broker.cut()
        self.socket.lose()

    def _client_ended(self) -> None:
        self.transport.ended()


class SimulatedListener:
    """A listener of the network's, in place of one of sockets."""

    def __init__(self, network: Network, address: ListenerAddress) -> None:
        self.address = address
        self.port = address.port or network.next_port()
        self.process = current_process()
        self.context = copy_context()
        self._network = network
        self._protocol: Callable[[], Connection] | None = None

    @property
    def advertised(self) -> tuple[str, int]:
        """Host and port by which clients reach it."""
        return self.address.advertised_host, self.address.advertised_port or self.port

    def bind(self) -> None:
        """Take the port. Raises CannotListen."""
        key = self.address.host, self.port
        other = self._network.listeners.get(key)
        if other is not None and (other.process is None or other.process.alive):
            raise CannotListen(f"{key} is taken")
        self._network.listeners[key] = self

    async def start(self, connections: Connections) -> None:
        """Take connections in."""
        name, advertised = self.address.name, self.advertised
        self._protocol = lambda: Connection(connections, name, advertised)

    def close(self) -> None:
        """Take no more connections."""
        self._protocol = None
        if self._network.listeners.get((self.address.host, self.port)) is self:
            del self._network.listeners[self.address.host, self.port]

    def accept(self, peername: tuple[str, int]) -> Socket:
        """Take a connection in. Raises ConnectionRefusedError."""
        if self._protocol is None or (self.process is not None and not self.process.alive):
            raise ConnectionRefusedError(f"nobody listens on {self.address.host}:{self.port}")
        pair = _Pair(self._network, self, peername)
        self._network.pairs[pair] = None
        pair.begin(self._protocol)
        return pair.socket


class Network:
    """All connections there are."""

    def __init__(self, loop: VirtualLoop, chance: Random, weather: NetworkWeather) -> None:
        self.loop = loop
        self.weather = weather
        self.listeners: dict[tuple[str, int], SimulatedListener] = {}
        self.pairs: dict[_Pair, None] = {}
        self.context = Context()
        """What the network itself does belongs to no process."""
        self._chance = chance
        self._port_last = PORT_FIRST

    def listening(self, address: ListenerAddress) -> SimulatedListener:
        """Return a listener that is not bound yet."""
        return SimulatedListener(self, address)

    async def connect(self, host: str, port: int, *, source: str) -> Socket:
        """Return a new connection. Raises ConnectionRefusedError."""
        await asyncio.sleep(self.delay())
        listener = self.listeners.get((host, port))
        if listener is None:
            raise ConnectionRefusedError(f"nobody listens on {host}:{port}")
        return listener.accept((source, self.next_port()))

    def break_off(self, process: Process) -> None:
        """Reset all connections to a process that is dead."""
        for pair in list(self.pairs):
            if pair.transport._process is process:
                pair.reset()

    def next_port(self) -> int:
        """Return a port that nobody had."""
        self._port_last += 1
        return self._port_last

    def delay(self) -> float:
        """Return how long the next piece takes."""
        weather, chance = self.weather, self._chance
        seconds = chance.random() * weather.delay_s
        if weather.stalls and chance.random() < weather.stalls:
            seconds += chance.random() * weather.stall_s
        return seconds

    def late(self) -> float:
        """Return how late arrives what somebody leaves behind."""
        return self._chance.choice([0.0, 0.05, 0.5]) * self._chance.random()

    def cut(self, size: int) -> int:
        """Return how many bytes of a piece arrive together."""
        if size > 1 and self._chance.random() < self.weather.splits:
            return self._chance.randrange(1, size)
        return size

    def resets(self) -> bool:
        """Return whether a connection breaks now."""
        return self.weather.resets > 0 and self._chance.random() < self.weather.resets
