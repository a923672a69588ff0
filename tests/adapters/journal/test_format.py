"""The bytes of a journal file, as docs/formats/journal.md describes them: today's, and those of earlier releases."""

import shutil
from pathlib import Path

import pytest
from crc32c import crc32c
from hypothesis import given
from hypothesis import strategies as st

from fleuve.adapters.journal.extents import (
    FIXED_BYTES,
    End,
    Kind,
    body_sound,
    frame,
    header_sound,
    pack_ends,
    read_fixed,
    unpack_ends,
)
from fleuve.adapters.journal.names import JournalName, journal_name, path_of
from fleuve.base.ids import FlushId, Incarnation
from fleuve.ports.errors import CorruptState
from support.faulty_files import FaultyFiles
from support.journals import flush_id, journal_store, scanned, scanned_again

GOLDEN = Path(__file__).parent / "golden"
SEVEN = Incarnation(7)


async def write_the_golden_journal(root):
    """Write what the golden files hold: extents in two files, one of them voided."""
    async with journal_store(root, FaultyFiles(), incarnation=SEVEN) as store:
        await store.write(flush_id(1, SEVEN), b"header one", [b"body", b" one"], durable=True)
        await store.write(flush_id(2, SEVEN), b"", [], durable=True)
        await store.seal(older_than_ms=0, larger_than_bytes=0)
        await store.write(flush_id(3, SEVEN), b"header three", [b"body three"], durable=True)
        await store.void(flush_id(2, SEVEN))
        await store.write(flush_id(4, SEVEN), b"", [b"body four"], durable=False)


@pytest.mark.parametrize("version", [1])
async def test_a_journal_of_each_released_format_is_read(version, tmp_path):
    shutil.copytree(GOLDEN / f"format-{version}", tmp_path / "journal")
    expected = {1: b"body one", 3: b"body three", 4: b"body four"}
    assert await scanned_again(tmp_path, SEVEN) == expected


async def test_todays_format_is_the_golden_one(tmp_path):
    await write_the_golden_journal(tmp_path)
    golden = {path.name: path.read_bytes() for path in (GOLDEN / "format-1").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "journal").iterdir()} == golden


def test_a_record_is_laid_out_as_the_page_says():
    record = b"".join(frame(Kind.DATA, FlushId(SEVEN, 9), b"head", [b"bo", b"dy"], position=512, synced_end=256))
    numbers = b"".join(number.to_bytes(8, "big") for number in (7, 9, 512, 256, 4))
    checked = b"FLVJ\x01\x02\x00\x00" + numbers + (4).to_bytes(4, "big") + crc32c(b"body").to_bytes(4, "big") + bytes(4)
    assert record == checked + crc32c(checked + b"head").to_bytes(4, "big") + b"headbody"


@given(
    header=st.binary(max_size=50), body=st.lists(st.binary(max_size=50), max_size=30), position=st.integers(0, 1 << 40)
)
def test_a_record_comes_back_as_it_was_framed(header, body, position):
    record = b"".join(frame(Kind.DATA, FlushId(SEVEN, 3), header, body, position=position, synced_end=0))
    fixed = read_fixed(memoryview(record), SEVEN, position)
    assert fixed is not None
    assert fixed.length == len(record)
    assert header_sound(memoryview(record), fixed, "here")
    assert record[FIXED_BYTES : FIXED_BYTES + fixed.header_length] == header
    stored = memoryview(record)[FIXED_BYTES + fixed.header_length :]
    assert stored == b"".join(body)
    assert body_sound(stored, fixed)


@given(garbage=st.binary(min_size=FIXED_BYTES, max_size=200))
def test_garbage_is_no_record(garbage):
    assert read_fixed(memoryview(garbage), SEVEN, 0) is None


def test_a_record_of_another_place_or_incarnation_is_none():
    record = memoryview(b"".join(frame(Kind.DATA, FlushId(SEVEN, 3), b"", [b"x"], position=64, synced_end=0)))
    assert read_fixed(record, SEVEN, 128) is None
    assert read_fixed(record, Incarnation(8), 64) is None


def test_a_record_of_a_newer_format_is_told_from_a_torn_one():
    record = bytearray(b"".join(frame(Kind.DATA, FlushId(SEVEN, 3), b"", [], position=0, synced_end=0)))
    record[4] = 2
    fixed = read_fixed(memoryview(record), SEVEN, 0)
    assert fixed is not None
    assert not header_sound(memoryview(record), fixed, "here")
    record[60:64] = crc32c(bytes(record[:60])).to_bytes(4, "big")
    with pytest.raises(CorruptState, match="here has a record of format 2, kind 2; this Fleuve reads format 1"):
        header_sound(memoryview(record), fixed, "here")


@given(ends=st.lists(st.builds(End, *[st.integers(0, (1 << 64) - 1)] * 4), max_size=5))
def test_ends_come_back_as_they_were_stated(ends):
    assert unpack_ends(pack_ends(ends)) == ends


def test_a_name_says_incarnation_and_sequence(tmp_path):
    name = JournalName(SEVEN, 12)
    assert name.object_name == "journal/0000000007-00000012.journal"
    assert journal_name(name.object_name) == name
    assert path_of(tmp_path, name.object_name) == tmp_path / "journal" / "0000000007-00000012.journal"


@pytest.mark.parametrize("name", ["segments/0000000007-00000012.journal", "journal/7-1.journal", "journal/x.journal"])
def test_other_names_are_no_journal_files(name):
    assert journal_name(name) is None


@pytest.mark.parametrize("name", ["segments/../../secret", "catalog.sqlite", "elsewhere/x", "segments"])
def test_an_object_never_lies_outside_its_folders(name, tmp_path):
    with pytest.raises(AssertionError):
        path_of(tmp_path, name)


async def test_bytes_of_a_client_that_look_like_a_record_are_not_taken_for_one(tmp_path):
    files = FaultyFiles()
    forged = b"".join(frame(Kind.DATA, flush_id(9), b"", [b"forged"], position=4096, synced_end=4096))
    async with journal_store(tmp_path, files) as store:
        placed = await store.write(flush_id(1), b"", [b"first"], durable=True)
        torn = await store.write(flush_id(2), b"", [forged, b"rest"], durable=False)
        files.kill()
    path = tmp_path / placed.object_name
    content = bytearray(path.read_bytes())
    content[torn.position - 1] ^= 0xFF
    path.write_bytes(content)
    assert await scanned_again(tmp_path) == {1: b"first"}


async def test_a_scan_while_extents_are_written_sees_a_prefix(tmp_path):
    async with journal_store(tmp_path, journal_file_bytes=2000) as store:
        for number in range(1, 30):
            await store.write(flush_id(number), b"", [bytes(200)], durable=False)
            assert list(await scanned(store)) == list(range(1, number + 1))
