"""Request and response headers (KIP-511 and KIP-482 explain their two quirks).

A header's form follows from the API and its version, so this module looks into `wire.apis`. In flexible request
headers the client id keeps its old length prefix. ApiVersions responses always have the first response header,
so that a client can read the answer to a version the broker does not know. A client id that is not UTF-8 is read
with replacement characters, as Kafka does.
"""

from __future__ import annotations

from struct import Struct, error

from fleuve.wire.apis import APIS
from fleuve.wire.errors import DecodeError
from fleuve.wire.message import Message, new
from fleuve.wire.primitives import skip_tags

API_VERSIONS_KEY = 18

_FLEXIBLE = {key: api.flexible for key, api in APIS.items()}
_NEVER = 1 << 15

_read_fixed = Struct(">hhih").unpack_from
_read_correlation_id = Struct(">i").unpack_from
_write_fixed = Struct(">hhih").pack
_write_response_v0 = Struct(">i").pack
_write_response_v1 = Struct(">ix").pack


class RequestHeader(Message):
    """Which API in which version a request is for, and how to name the answer."""

    __slots__ = ("api_key", "api_version", "correlation_id", "client_id")

    def __init__(
        self, *, api_key: int = 0, api_version: int = 0, correlation_id: int = 0, client_id: str | None = None
    ) -> None:
        self.api_key = api_key
        self.api_version = api_version
        self.correlation_id = correlation_id
        self.client_id = client_id


def decode_request_header(view: memoryview) -> tuple[RequestHeader, int]:
    """Read the header of a request; return it and where the body starts.

    An API without a codec here gets the header of non-flexible versions: its body is not read anyway.
    Raises DecodeError.
    """
    header = new(RequestHeader)
    try:
        header.api_key, header.api_version, header.correlation_id, size = _read_fixed(view, 0)
        if size < 0:
            header.client_id = None
            at = 10
        else:
            at = 10 + size
            header.client_id = str(view[10:at], "utf-8", "replace")
        if header.api_version >= _FLEXIBLE.get(header.api_key, _NEVER):
            tags = view[at]
            at += 1
            if tags:
                at = skip_tags(view, at, tags)
    except (IndexError, ValueError, error) as cause:
        raise DecodeError(f"request header is cut off: {len(view)} bytes are there") from cause
    if at > len(view):
        raise DecodeError(f"request header ends at byte {at}, the request has {len(view)}")
    return header, at


def encode_response_header(correlation_id: int, flexible: bool) -> bytes:  # noqa: FBT001 - the hot path
    """Write a response header; `flexible` as `response_is_flexible` says."""
    return _write_response_v1(correlation_id) if flexible else _write_response_v0(correlation_id)


def response_is_flexible(api_key: int, api_version: int) -> bool:
    """Return whether the response to this API and version has a header with tagged fields."""
    return api_key != API_VERSIONS_KEY and api_version >= _FLEXIBLE.get(api_key, _NEVER)


def encode_request_header(header: RequestHeader) -> bytes:
    """Write a request header: what clients send."""
    raw = b"" if header.client_id is None else header.client_id.encode()
    size = -1 if header.client_id is None else len(raw)
    tags = b"\x00" if header.api_version >= _FLEXIBLE.get(header.api_key, _NEVER) else b""
    return _write_fixed(header.api_key, header.api_version, header.correlation_id, size) + raw + tags


def decode_response_header(view: memoryview, flexible: bool) -> tuple[int, int]:  # noqa: FBT001 - its mirror
    """Read a response header; return the correlation id and where the body starts. Raises DecodeError."""
    try:
        (correlation_id,) = _read_correlation_id(view, 0)
        at = 4
        if flexible:
            at = skip_tags(view, 5, view[4])
    except (IndexError, ValueError, error) as cause:
        raise DecodeError(f"response header is cut off: {len(view)} bytes are there") from cause
    if at > len(view):
        raise DecodeError(f"response header ends at byte {at}, the response has {len(view)}")
    return correlation_id, at
