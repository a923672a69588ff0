"""Compression: the four codecs, what other clients write, and bombs."""

from __future__ import annotations

import gzip
import struct
import tracemalloc
import zlib

import cramjam
import pytest
from aiokafka import codec as aiokafka_codec
from hypothesis import given
from hypothesis import strategies as st

from fleuve.records.compression import XERIAL_HEADER, Compression, compress, decompress
from fleuve.records.errors import CorruptRecord, UnsupportedCompression

MIB = 1 << 20
CODECS = [Compression.GZIP, Compression.SNAPPY, Compression.LZ4, Compression.ZSTD]


@pytest.mark.parametrize("code", Compression)
@given(payload=st.binary(max_size=3000), repeats=st.integers(1, 50))
def test_what_is_compressed_comes_back(code, payload, repeats):
    plain = payload * repeats
    assert decompress(code, compress(code, plain), size_bytes_max=len(plain)) == plain


@pytest.mark.parametrize("code", Compression)
def test_the_limit_is_exact(code):
    stored = compress(code, b"x" * 300_000)
    assert len(decompress(code, stored, size_bytes_max=300_000)) == 300_000
    with pytest.raises(CorruptRecord, match="limit of 299999"):
        decompress(code, stored, size_bytes_max=299_999)


@pytest.mark.parametrize("code", CODECS)
def test_other_clients_read_and_write_the_same(code):
    plain = b"some text that repeats itself, " * 5000
    encode, decode = {
        Compression.GZIP: (aiokafka_codec.gzip_encode, aiokafka_codec.gzip_decode),
        Compression.SNAPPY: (aiokafka_codec.snappy_encode, aiokafka_codec.snappy_decode),
        Compression.LZ4: (aiokafka_codec.lz4_encode, aiokafka_codec.lz4_decode),
        Compression.ZSTD: (aiokafka_codec.zstd_encode, aiokafka_codec.zstd_decode),
    }[code]
    assert decompress(code, encode(plain), size_bytes_max=MIB) == plain
    assert bytes(decode(compress(code, plain))) == plain


def test_the_standard_library_reads_the_gzip():
    assert gzip.decompress(compress(Compression.GZIP, b"text")) == b"text"


def test_lz4_has_independent_blocks_and_no_content_checksum():
    flags = compress(Compression.LZ4, b"text")[4]
    assert flags & 0b0010_0000, "blocks must be independent (KIP-57)"
    assert not flags & 0b0000_0100, "no checksum of the content"


def test_snappy_without_a_frame_is_read():
    raw = bytes(cramjam.snappy.compress_raw(b"text" * 100))
    assert decompress(Compression.SNAPPY, raw, size_bytes_max=400) == b"text" * 100


def test_odd_xerial_versions_and_joined_streams_are_read():
    block = bytes(cramjam.snappy.compress_raw(b"text"))
    framed = struct.pack(">i", len(block)) + block
    odd = XERIAL_HEADER[:8] + struct.pack("<ii", 1, 1)  # Some clients wrote the numbers the other way round.
    stored = odd + framed + XERIAL_HEADER + framed + framed
    assert decompress(Compression.SNAPPY, memoryview(stored), size_bytes_max=12) == b"text" * 3


def zeros(code: Compression, size_bytes: int) -> bytes:
    """Compress so many zeros without ever holding them."""
    piece, pieces = bytes(MIB), size_bytes // MIB
    if code == Compression.GZIP:
        stream = zlib.compressobj(wbits=31)
        return b"".join(stream.compress(piece) for _ in range(pieces)) + stream.flush()
    if code == Compression.SNAPPY:
        return XERIAL_HEADER + compress(code, piece)[len(XERIAL_HEADER) :] * pieces
    compressor = cramjam.lz4.Compressor(level=1) if code == Compression.LZ4 else cramjam.zstd.Compressor(level=1)
    parts = []
    for _ in range(pieces):
        compressor.compress(piece)
        parts.append(bytes(compressor.flush()))
    return b"".join(parts) + bytes(compressor.finish())


@pytest.mark.parametrize("code", CODECS)
def test_a_bomb_is_refused_within_bounded_memory(code):
    bomb = zeros(code, 256 * MIB)
    tracemalloc.start()
    try:
        with pytest.raises(CorruptRecord, match="limit of 1048576"):
            decompress(code, bomb, size_bytes_max=MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # One buffer at a time: a larger one is taken when the smaller one is gone.
    assert peak < MIB + MIB // 8 + len(bomb) // 100


def test_a_snappy_block_that_claims_gigabytes_is_refused_before_allocation():
    claim = b"\xff\xff\xff\xff\x0f" + b"a"
    with pytest.raises(CorruptRecord, match="limit"):
        decompress(Compression.SNAPPY, claim, size_bytes_max=MIB)


@pytest.mark.parametrize("code", CODECS)
def test_a_payload_cut_off_anywhere_is_refused_or_shorter(code):
    plain = bytes(range(256)) * 300
    stored = compress(code, plain)
    for size_bytes in {*range(40), *range(40, len(stored), 97), len(stored) - 1}:
        try:
            got = decompress(code, stored[:size_bytes], size_bytes_max=MIB)
        except CorruptRecord:
            continue
        assert plain.startswith(got)
        assert len(got) < len(plain)


@pytest.mark.parametrize("code", CODECS)
@given(garbage=st.binary(max_size=100), at=st.integers(0, 200))
def test_garbage_is_refused_and_nothing_else(code, garbage, at):
    stored = compress(code, b"text " * 100)
    for payload in (garbage, stored[:at] + garbage + stored[at + len(garbage) :]):
        try:
            got = decompress(code, payload, size_bytes_max=10_000)
        except CorruptRecord:
            continue
        assert len(got) <= 10_000


@pytest.mark.parametrize("code", [-1, 5, 7])
def test_an_unknown_code_is_refused(code):
    with pytest.raises(UnsupportedCompression):
        decompress(code, b"", size_bytes_max=1)
    with pytest.raises(UnsupportedCompression):
        compress(code, b"")
