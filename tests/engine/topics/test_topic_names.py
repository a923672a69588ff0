import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleuve.engine.topics.errors import InvalidTopicName
from fleuve.engine.topics.names import check_name, collision_key


@pytest.mark.parametrize("name", ["a", "A-9._", "x" * 249, "...", "__consumer_offsets", "_"])
def test_legal_names(name):
    check_name(name)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("", "the empty string is not allowed"),
        (".", "'.' is not allowed"),
        ("..", "'..' is not allowed"),
        ("x" * 250, f"the length of '{'x' * 250}' is longer than the max allowed length 249"),
        ("a b", "'a b' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"),
        ("a\n", "'a\n' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"),
        ("é", "'é' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"),
    ],
)
def test_illegal_names_are_told_as_kafka_does(name, wrong):
    with pytest.raises(InvalidTopicName) as raised:
        check_name(name)
    assert str(raised.value) == f"Topic name is invalid: {wrong}"


@given(st.text(max_size=300))
def test_any_text_is_a_name_or_is_not(name):
    try:
        check_name(name)
    except InvalidTopicName:
        return
    assert name.isascii()
    assert 0 < len(name) < 250


def test_names_collide_where_their_metrics_would():
    assert collision_key("a.b_c") == collision_key("a_b.c")
    assert collision_key("a.b") != collision_key("ab")
