"""A group's stored state, as bytes: docs/formats/group-state.md.

What is stored is what must survive the broker: membership, generation and assignment of the last stable generation,
so that its members go on after a restart as if nothing had happened. Who waits for what is not in it.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from fleuve.base.ids import GroupId, MemberId, TimestampMs
from fleuve.engine.groups.state import Group, JoinProtocol, Member, Phase
from fleuve.engine.groups.subscription import subscribed_topics
from fleuve.ports.errors import CorruptState

FORMAT_VERSION = 1

_NULL = 0xFFFF_FFFF
_HEAD = struct.Struct(">Biq")
_TIMEOUTS = struct.Struct(">ii")
_COUNT = struct.Struct(">I")


def encode(group: Group) -> bytes:
    """Return the bytes to store: `group` as an empty or stable one, whatever goes on in it besides."""
    parts = [_HEAD.pack(FORMAT_VERSION, group.generation, group.state_since)]
    parts += map(_text, (group.protocol_type, group.protocol_name, group.leader_id))
    parts.append(_COUNT.pack(len(group.members)))
    for member in group.members.values():
        parts += map(_text, (member.member_id, member.instance_id, member.client_id, member.client_host))
        parts.append(_TIMEOUTS.pack(member.session_timeout_ms, member.rebalance_timeout_ms))
        parts.append(_bytes(member.assignment))
        parts.append(_COUNT.pack(len(member.protocols)))
        for protocol in member.protocols:
            parts += (_text(protocol.name), _bytes(protocol.metadata))
    return b"".join(parts)


def decode(group_id: GroupId, data: bytes) -> Group:
    """Return the group that `encode` stored, its members without deadlines. Raises CorruptState."""
    try:
        return _decode(group_id, _Reader(data))
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise CorruptState(f"group {group_id}: its stored state cannot be read: {error}") from error


class Summary(NamedTuple):
    """What a list of groups tells of a group."""

    group_id: GroupId
    phase: Phase
    protocol_type: str
    member_count: int


def summary(group_id: GroupId, data: bytes) -> Summary:
    """Return the summary of a stored group without reading its members. Raises CorruptState."""
    reader = _Reader(data)
    try:
        _generation, _state_since, protocol_type, _name, _leader_id = _head(group_id, reader)
        count = reader.count()
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise CorruptState(f"group {group_id}: its stored state cannot be read: {error}") from error
    return Summary(group_id, Phase.STABLE if count else Phase.EMPTY, protocol_type or "", count)


def _head(group_id: GroupId, reader: _Reader) -> tuple[int, int, str | None, str | None, str | None]:
    version, generation, state_since = reader.unpack(_HEAD)
    if version != FORMAT_VERSION:
        raise CorruptState(f"group {group_id}: stored in format {version}, this broker reads {FORMAT_VERSION}")
    return generation, state_since, reader.text(), reader.text(), reader.text()


def _decode(group_id: GroupId, reader: _Reader) -> Group:
    generation, state_since, protocol_type, protocol_name, leader_id = _head(group_id, reader)
    members = [_member(reader) for _ in range(reader.count())]
    if reader.left or generation < 0 or bool(members) != (leader_id is not None):
        raise CorruptState(f"group {group_id}: its stored state contradicts itself")
    by_id = {member.member_id: member for member in members}
    if len(by_id) != len(members) or (leader_id is not None and leader_id not in by_id):
        raise CorruptState(f"group {group_id}: its stored state contradicts itself")
    counts: dict[str, int] = {}
    for member in members:
        for name in {protocol.name for protocol in member.protocols}:
            counts[name] = counts.get(name, 0) + 1
    return Group(
        group_id=group_id,
        exists=True,
        phase=Phase.STABLE if members else Phase.EMPTY,
        generation=generation,
        protocol_type=protocol_type,
        protocol_name=protocol_name,
        leader_id=None if leader_id is None else MemberId(leader_id),
        state_since=TimestampMs(state_since),
        subscribed_topics=subscribed_topics(protocol_type, [m.metadata(protocol_name) for m in members]),
        members=by_id,
        instances={m.instance_id: m.member_id for m in members if m.instance_id is not None},
        protocol_counts=counts,
        metadata_bytes=sum(member.metadata_bytes for member in members),
    )


def _member(reader: _Reader) -> Member:
    member_id, instance_id, client_id, client_host = (reader.text() for _ in range(4))
    session_timeout_ms, rebalance_timeout_ms = reader.unpack(_TIMEOUTS)
    assignment = reader.buffer()
    protocols = tuple(JoinProtocol(reader.text() or "", reader.buffer()) for _ in range(reader.count()))
    return Member(
        member_id=MemberId(member_id or ""),
        instance_id=instance_id,
        client_id=client_id or "",
        client_host=client_host or "",
        session_timeout_ms=session_timeout_ms,
        rebalance_timeout_ms=rebalance_timeout_ms,
        protocols=protocols,
        assignment=assignment,
    )


def _bytes(value: bytes) -> bytes:
    return _COUNT.pack(len(value)) + value


def _text(value: str | None) -> bytes:
    return _COUNT.pack(_NULL) if value is None else _bytes(value.encode())


class _Reader:
    """Reads fields one after the other; raises IndexError where there is less than promised."""

    __slots__ = ("_data", "_position")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._position

    def unpack(self, layout: struct.Struct) -> tuple[int, ...]:
        values = layout.unpack_from(self._data, self._position)
        self._position += layout.size
        return values

    def count(self) -> int:
        (count,) = self.unpack(_COUNT)
        # Everything counted takes four bytes at least.
        if count > self.left // 4:
            raise IndexError(f"{count} items in {self.left} bytes")
        return count

    def buffer(self) -> bytes:
        (length,) = self.unpack(_COUNT)
        return self._take(length)

    def text(self) -> str | None:
        (length,) = self.unpack(_COUNT)
        return None if length == _NULL else self._take(length).decode()

    def _take(self, length: int) -> bytes:
        if length > self.left:
            raise IndexError(f"{length} bytes promised, {self.left} there")
        self._position += length
        return self._data[self._position - length : self._position]
