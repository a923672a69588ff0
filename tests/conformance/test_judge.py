"""What compares answers with recorded ones: it must see a difference, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.comparison import Mismatch, compare
from conformance.differences import Difference, judge
from conformance.messages import answer_fields, bytes_of, bytes_text, request_of
from conformance.recording import Recorded, read
from conformance.rules import Symbols, recorded_answer, recorded_request, sent_request
from fleuve.base.clock import SystemClock
from fleuve.wire.generated import fetch
from support.batches import batch

ADDRESS = ("127.0.0.1", 9092)
TOPIC, OTHER = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"


def differing(recorded, actual, symbols=None, api="Metadata"):
    return [field for field, _, _ in compare(api, recorded, actual, symbols or Symbols(ADDRESS), "case")]


runs = st.builds(lambda byte, count: bytes([byte]) * count, st.integers(0, 255), st.integers(0, 99))


@given(st.lists(st.one_of(st.binary(max_size=20), runs)))
def test_bytes_as_text_are_the_same_bytes(parts):
    assert bytes_of(bytes_text(b"".join(parts))) == b"".join(parts)


def test_a_value_another_type_and_a_field_more_or_less_are_differences():
    recorded = {"error_code": 3, "throttle_time_ms": 1, "controller_id": 1, "topics": [{"error_code": 5}]}
    actual = {
        "error_code": 4,
        "controller_id": True,
        "topics": [{"error_code": 5, "is_internal": True}],
        "cluster_id": "x",
    }
    assert sorted(differing(recorded, actual)) == [
        "cluster_id",
        "controller_id",
        "error_code",
        "throttle_time_ms",
        "topics[0].is_internal",
    ]


def test_an_id_is_another_one_elsewhere_but_the_same_throughout():
    symbols = Symbols(ADDRESS)
    assert differing({"topic_id": "$topic-1"}, {"topic_id": TOPIC}, symbols) == []
    assert differing({"topic_id": "$topic-1"}, {"topic_id": OTHER}, symbols) == ["topic_id"]
    assert differing({"topic_id": "$topic-2"}, {"topic_id": TOPIC}, symbols) == ["topic_id"]
    assert differing({"topic_id": "$topic-2"}, {"topic_id": OTHER}, symbols) == []
    assert sent_request({"topic_id": "$topic-2"}, symbols) == {"topic_id": OTHER}


def test_an_id_that_the_case_made_up_stays_as_it_is():
    symbols = Symbols(ADDRESS)
    _, literals = recorded_request({"member_id": "made-up"}, symbols)
    assert recorded_answer({"member_id": "made-up"}, symbols, literals) == {"member_id": "made-up"}
    assert recorded_answer({"member_id": "given"}, symbols, literals) == {"member_id": "$member-1"}


def test_a_producer_id_in_a_batch_is_replaced_with_its_checksum():
    symbols = Symbols(ADDRESS)
    symbols.bind("$producer-1", 7)
    sent = bytes(batch(b"a", producer_id=7, producer_epoch=0, base_sequence=0))
    recorded, _ = recorded_request({"records": bytes_text(sent)}, symbols)
    elsewhere = Symbols(ADDRESS)
    elsewhere.bind("$producer-1", 9)
    asked = bytes_of(sent_request(recorded, elsewhere)["records"])
    assert asked == bytes(batch(b"a", producer_id=9, producer_epoch=0, base_sequence=0))


def test_times_of_now_agree_and_others_are_compared():
    now = SystemClock().wall_ms()
    assert differing({"timestamp": "*time"}, {"timestamp": now - 1000}) == []
    assert differing({"timestamp": "*time"}, {"timestamp": 1_700_000_000_000}) == ["timestamp"]
    assert differing({"timestamp": 1_700_000_000_000}, {"timestamp": now}) == ["timestamp"]


def test_of_words_it_counts_whether_there_are_any():
    assert differing({"error_message": "one"}, {"error_message": "another"}) == []
    assert differing({"error_message": "one"}, {}) == ["error_message"]
    assert differing({"error_message": None}, {"error_message": "one"}) == ["error_message"]


def test_lists_without_an_order_are_compared_by_their_keys_and_only_the_cases_own_part():
    recorded = {"topics": [{"name": "case.a"}, {"name": "case.b", "error_code": 1}]}
    actual = {"topics": [{"name": "case.b"}, {"name": "somebody's"}, {"name": "case.a"}, {"name": "case.c"}]}
    assert differing(recorded, actual) == ["topics[case.b].error_code", "topics[case.c]"]


def test_records_are_compared_as_they_are_inside():
    def answer(records):
        partition = fetch.PartitionData(records=records)
        return answer_fields(fetch.FetchResponse(responses=[fetch.FetchableTopicResponse(partitions=[partition])]))

    plain, compressed, other = batch(b"a", b"b"), batch(b"a", b"b", compression=1), batch(b"a", b"c")
    where = "responses[0].partitions[0].records"
    assert differing(answer(plain), answer(compressed), api="Fetch") == [f"{where}[0].attributes"]
    assert differing(answer(plain), answer(other), api="Fetch") == [f"{where}[0].payload"]
    assert differing(answer(plain), answer(plain + other[:70]), api="Fetch") == [f"{where}[1]"]
    assert differing(answer(b""), answer(None), api="Fetch") == [where]


def test_a_request_is_built_from_its_recording():
    request = fetch.FetchRequest(
        max_wait_ms=5,
        topics=[fetch.FetchTopic(topic="t", partitions=[fetch.FetchPartition(partition=1, fetch_offset=7)])],
    )
    recorded, _ = recorded_request(answer_fields(request), Symbols(ADDRESS))
    assert request_of("Fetch", recorded) == request


@pytest.mark.parametrize("declared,undeclared,idle", [(4, 0, 0), (5, 1, 1)])
def test_a_declared_difference_must_occur_as_it_is_declared(declared, undeclared, idle):
    found = Mismatch("fetch/a", 7, "Fetch", 12, "responses[0].error_code", 3, 4)
    difference = Difference(
        cases=["fetch/*"], api="Fetch", fields=["responses[*].error_code"], fleuve=declared, page=""
    )
    left, never = judge("fetch", [found], [difference])
    assert (len(left), len(never)) == (undeclared, idle)


def test_a_recording_is_read_as_it_was_written(tmp_path):
    asked = '{"topics":[{"name":"~.t"},{"name":"~.a-longer-name"},{"name":"~.another-longer-name"}]}'
    lines = ["# a_case: What it is about.", 'a open "x"', f"a > Metadata 4 {asked}", "a < {}", "a > Metadata 5 =2"]
    text = "\n".join([*lines, "a < {}", "a closed"]) + "\n"
    path = tmp_path / "a_topic.txt"
    path.write_text(text)
    (case,) = read(path)
    assert isinstance(case, Recorded)
    assert case.events[1].content["topics"][0] == {"name": "a-topic-a-case.t"}
    assert case.events[3].content == case.events[1].content
    assert str(case) == text
