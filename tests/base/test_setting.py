"""Reading of values. The messages are those of a running Apache Kafka 4.3."""

from __future__ import annotations

import pytest

from fleuve.base.setting import (
    AtLeast,
    Between,
    InvalidConfig,
    NotEmpty,
    OneOf,
    Scope,
    Setting,
    ValueType,
    canonical,
    parse,
    text_of,
)


def row(kind, check=None, *, sensitive=False):
    return Setting(name="a.b", scope=Scope.TOPIC, type=kind, default=None, doc="", check=check, sensitive=sensitive)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (ValueType.LONG, " 5000 ", 5000),
        (ValueType.LONG, "-9223372036854775808", -(1 << 63)),
        (ValueType.INT, "2147483647", (1 << 31) - 1),
        (ValueType.SHORT, "+7", 7),
        (ValueType.DOUBLE, "1.7976931348623157E308", 1.7976931348623157e308),
        (ValueType.BOOLEAN, "True", True),
        (ValueType.BOOLEAN, " false", False),
        (ValueType.LIST, "", ()),
        (ValueType.LIST, "a , b,a", ("a", "b")),
        (ValueType.STRING, " x ", "x"),
        (ValueType.CLASS, "org.example.A", "org.example.A"),
        (ValueType.PASSWORD, "secret", "secret"),
    ],
)
def test_text_is_read_by_its_type(kind, text, value):
    assert parse(row(kind), text) == value


@pytest.mark.parametrize(
    ("kind", "check", "text", "message"),
    [
        (ValueType.LONG, None, "abc", "Invalid value abc for configuration a.b: Not a number of type LONG"),
        (ValueType.LONG, None, "", "Invalid value  for configuration a.b: Not a number of type LONG"),
        (ValueType.INT, None, "3000000000", "Invalid value 3000000000 for configuration a.b: Not a number of type INT"),
        (ValueType.INT, None, "1_000", "Invalid value 1_000 for configuration a.b: Not a number of type INT"),
        (ValueType.SHORT, None, "40000", "Invalid value 40000 for configuration a.b: Not a number of type SHORT"),
        (ValueType.DOUBLE, None, "x", "Invalid value x for configuration a.b: Not a number of type DOUBLE"),
        (
            ValueType.BOOLEAN,
            None,
            "yes",
            "Invalid value yes for configuration a.b: Expected value to be either true or false",
        ),
        (ValueType.LONG, AtLeast(-1), "-2", "Invalid value -2 for configuration a.b: Value must be at least -1"),
        (
            ValueType.DOUBLE,
            Between(0, 1),
            "1.5",
            "Invalid value 1.5 for configuration a.b: Value must be no more than 1",
        ),
        (ValueType.INT, Between(2, 9), "1", "Invalid value 1 for configuration a.b: Value must be at least 2"),
        (
            ValueType.INT,
            Between(1, 9, or_else=-1),
            "0",
            "Invalid value 0 for configuration a.b: Value must be between 1 and 9 or equal to -1",
        ),
        (
            ValueType.LIST,
            OneOf("compact", "delete"),
            "foo",
            "Invalid value foo for configuration a.b: String must be one of: compact, delete",
        ),
        (ValueType.STRING, NotEmpty(), "", "Invalid value  for configuration a.b: String must be non-empty"),
    ],
)
def test_what_is_wrong_is_said_in_kafkas_words(kind, check, text, message):
    with pytest.raises(InvalidConfig) as caught:
        parse(row(kind, check), text)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [(ValueType.LONG, " -02", "-2"), (ValueType.DOUBLE, "2", "2.0"), (ValueType.DOUBLE, "1e3", "1000.0")],
)
def test_a_value_that_is_not_allowed_is_named_however_it_was_written(kind, text, shown):
    with pytest.raises(InvalidConfig, match=f"^Invalid value {shown} for configuration a.b: "):
        parse(row(kind, Between(0, 1)), text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1e-7", "1.0E-7"), ("0.000125", "1.25E-4"), ("0.001", "0.001"), ("12345678", "1.2345678E7"),
        ("9999999", "9999999.0"), ("-0", "-0.0"), ("1e999", "Infinity"),
    ],
)  # fmt: skip
def test_doubles_are_shown_as_java_writes_them(text, shown):
    assert canonical(row(ValueType.DOUBLE), text) == shown


def test_bounds_themselves_are_allowed():
    for text in ("1", "9", "-1"):
        parse(row(ValueType.INT, Between(1, 9, or_else=-1)), text)


def test_words_match_their_case_unless_it_is_said_otherwise():
    with pytest.raises(InvalidConfig):
        parse(row(ValueType.STRING, OneOf("CreateTime")), "createtime")
    assert parse(row(ValueType.STRING, OneOf("DISABLED", any_case=True)), "disabled") == "disabled"


def test_a_wrong_secret_is_not_repeated():
    with pytest.raises(InvalidConfig, match=r"\[hidden\]"):
        parse(row(ValueType.INT, sensitive=True), "hunter2")


@pytest.mark.parametrize("text", ["1.7976931348623157E308", "0.5", "0.9", "-7", "true", "a,b", ""])
def test_a_value_is_shown_as_it_was_written(text):
    kinds = {"t": ValueType.BOOLEAN, "-": ValueType.LONG, "0": ValueType.DOUBLE, "1": ValueType.DOUBLE}
    assert canonical(row(kinds.get(text[:1], ValueType.LIST)), text) == text


def test_nothing_has_no_text():
    assert text_of(None) is None


def test_checks_say_what_they_allow():
    texts = [
        str(check) for check in (AtLeast(1), Between(1, 9, or_else=-1), Between(0, 1), OneOf("a", "b"), NotEmpty())
    ]
    assert texts == ["≥ 1", "1 … 9, or -1", "0 … 1", "`a`, `b`", "not empty"]
