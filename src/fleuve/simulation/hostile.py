"""A client that sends what is no request: it loses its connection, and nobody else notices."""

from __future__ import annotations

import asyncio
from typing import Final

from fleuve.simulation.client import Client, Lost
from fleuve.simulation.play import Play

HARMLESS: Final = (0, 1, 2, 9, 16, 18, 32, 60, 75)
"""APIs that change nothing, whatever a random body means to them; a random batch has no valid checksum."""
WAIT_S: Final = 2.0


def nonsense(client: Client) -> bytes:
    """Return some bytes."""
    chance = client.chance
    junk = chance.randbytes(chance.choice([0, 1, 3, 20, 200, 5_000]))
    kind = chance.randrange(4)
    if kind == 0:
        return junk
    if kind == 1:
        return chance.choice([-1, 0, 1, 1 << 27, (1 << 31) - 1]).to_bytes(4, "big", signed=True) + junk
    key, version = chance.choice(HARMLESS), chance.randrange(-1, 20)
    body = key.to_bytes(2, "big") + version.to_bytes(2, "big", signed=True) + b"\0\0\0\1\0\0\0" + junk
    claimed = len(body) if kind == 2 else len(body) + chance.choice([1, 100_000])
    return claimed.to_bytes(4, "big") + body


async def send_nonsense(play: Play, client: Client) -> None:
    """Send nonsense, and go."""
    chance = client.chance
    while play.going:
        await asyncio.sleep(chance.random() * 2 * play.pace)
        data = nonsense(client)
        client.note(f"sends {len(data)} bytes of nonsense: {data[:12].hex()}")
        try:
            socket = await client.connect_raw()
        except Lost:
            continue
        socket.send(data)
        ended = asyncio.get_running_loop().create_task(socket.until_ended())
        await asyncio.wait([ended], timeout=chance.random() * WAIT_S)
        ended.cancel()
        if chance.random() < 0.5:
            socket.reset()
        else:
            socket.close()
