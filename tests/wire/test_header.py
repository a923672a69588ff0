"""Request and response headers."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kio.schema.request_header.v1.header import RequestHeader as KioHeaderV1
from kio.schema.request_header.v2.header import RequestHeader as KioHeaderV2
from kio.serial import entity_writer
from kio.static.primitive import i16, i32

from fleuve.wire.apis import APIS
from fleuve.wire.errors import DecodeError
from fleuve.wire.header import (
    RequestHeader,
    decode_request_header,
    decode_response_header,
    encode_request_header,
    encode_response_header,
    response_is_flexible,
)

CLIENT_IDS = st.none() | st.text(st.characters(codec="utf-8"), max_size=200)


@given(
    api=st.sampled_from(sorted(APIS.values())),
    data=st.data(),
    correlation_id=st.integers(-(1 << 31), (1 << 31) - 1),
    client_id=CLIENT_IDS,
)
def test_a_header_has_the_bytes_kio_gives_it_and_is_read_back(api, data, correlation_id, client_id):
    version = data.draw(st.integers(api.version_min, api.version_max))
    kio_class = KioHeaderV2 if version >= api.flexible else KioHeaderV1
    buffer = io.BytesIO()
    theirs = kio_class(
        request_api_key=i16(api.key),
        request_api_version=i16(version),
        correlation_id=i32(correlation_id),
        client_id=client_id,
    )
    entity_writer(kio_class)(buffer, theirs)
    ours = RequestHeader(api_key=api.key, api_version=version, correlation_id=correlation_id, client_id=client_id)
    assert encode_request_header(ours) == buffer.getvalue()
    assert decode_request_header(memoryview(buffer.getvalue() + b"body")) == (ours, len(buffer.getvalue()))


@given(st.binary(max_size=40))
def test_garbage_is_a_header_or_a_decode_error_and_nothing_else(garbage):
    try:
        _, at = decode_request_header(memoryview(garbage))
        assert 10 <= at <= len(garbage)
    except DecodeError:
        pass


@given(st.binary(max_size=12), st.booleans())
def test_garbage_is_a_response_header_or_a_decode_error_and_nothing_else(garbage, flexible):
    try:
        decode_response_header(memoryview(garbage), flexible)
    except DecodeError:
        pass


def test_tagged_fields_in_a_request_header_are_skipped():
    raw = encode_request_header(RequestHeader(api_key=3, api_version=9, correlation_id=5, client_id="c"))
    changed = raw[:-1] + b"\x01\x07\x02ab"
    header, at = decode_request_header(memoryview(changed + b"body"))
    assert header.client_id == "c"
    assert at == len(changed)


def test_an_api_versions_request_newer_than_the_schema_has_a_flexible_header():
    raw = b"\x00\x12\x00\x63\x00\x00\x00\x01\x00\x01c\x00"
    header, at = decode_request_header(memoryview(raw))
    assert (header.api_version, header.client_id, at) == (99, "c", len(raw))


def test_api_versions_responses_never_have_a_flexible_header():
    assert not any(response_is_flexible(18, version) for version in range(100))
    assert response_is_flexible(3, 9)
    assert not response_is_flexible(3, 8)
    assert not response_is_flexible(17, 1)


@pytest.mark.parametrize("flexible", [False, True])
def test_a_response_header_is_read_back(flexible):
    raw = encode_response_header(-7, flexible)
    assert len(raw) == (5 if flexible else 4)
    assert decode_response_header(memoryview(raw), flexible) == (-7, len(raw))
