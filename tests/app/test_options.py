"""What may be written behind --listen, --http and --set, and what is answered to the rest."""

import pytest

from fleuve.app.options import (
    Address,
    ListenerSpec,
    UsageError,
    is_loopback,
    parse_http,
    parse_listener,
    parse_listeners,
    parse_setting,
)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("localhost:9092", ListenerSpec("PLAINTEXT", "localhost", 9092, "localhost", 9092)),
        ("127.0.0.1:0", ListenerSpec("PLAINTEXT", "127.0.0.1", 0, "127.0.0.1", 0)),
        ("[::1]:9092", ListenerSpec("PLAINTEXT", "::1", 9092, "::1", 9092)),
        ("inside=10.0.0.1:9092", ListenerSpec("INSIDE", "10.0.0.1", 9092, "10.0.0.1", 9092)),
        (
            "0.0.0.0:9092@kafka.example:19092",
            ListenerSpec("PLAINTEXT", "0.0.0.0", 9092, "kafka.example", 19092),
        ),
        ("OUT=:9093@[2001:db8::1]:9093", ListenerSpec("OUT", "", 9093, "2001:db8::1", 9093)),
        ("*:0@broker:0", ListenerSpec("PLAINTEXT", "", 0, "broker", 0)),
        ("[::]:9092@my_broker:9092", ListenerSpec("PLAINTEXT", "::", 9092, "my_broker", 9092)),
    ],
)
def test_a_listener_says_where_it_binds_and_how_clients_reach_it(text, spec):
    assert parse_listener(text) == spec


@pytest.mark.parametrize("text", ["0.0.0.0:9092", ":9092", "*:9092", "[::]:9092", "NAME=0.0.0.0:9092"])
def test_a_wildcard_without_an_advertised_address_is_an_error_that_names_the_flag(text):
    with pytest.raises(UsageError, match="--listen .*@HOST:9092"):
        parse_listener(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("localhost", "HOST:PORT"),
        ("localhost:", "port"),
        ("localhost:kafka", "port"),
        ("localhost:70000", "65535"),
        ("::1:9092", "brackets"),
        ("[::zz]:9092", "IPv6"),
        ("a b:9092", "host name"),
        ("=localhost:9092", "name"),
        ("my name=localhost:9092", "name"),
        ("localhost:9092@", "HOST:PORT"),
        ("localhost:9092@0.0.0.0:9092", "cannot connect"),
        ("localhost:9092@broker:0", "port 0"),
    ],
)
def test_a_malformed_listener_is_an_error_that_says_what_to_write(text, message):
    with pytest.raises(UsageError, match=f"(?s)--listen.*{message}"):
        parse_listener(text)


def test_listeners_without_a_name_are_numbered():
    specs = parse_listeners(("localhost:9092", "localhost:9093", "X=localhost:9094", "localhost:9095"))
    assert [spec.name for spec in specs] == ["PLAINTEXT", "PLAINTEXT-2", "X", "PLAINTEXT-4"]


@pytest.mark.parametrize("texts", [("A=localhost:1", "a=localhost:2"), ("localhost:9092", "B=localhost:9092")])
def test_two_listeners_share_neither_name_nor_address(texts):
    with pytest.raises(UsageError, match="two listeners"):
        parse_listeners(texts)


def test_two_listeners_may_both_ask_for_any_port():
    assert len(parse_listeners(("localhost:0", "localhost:0"))) == 2


def test_http_is_an_address_or_off():
    assert parse_http("off") is None
    assert parse_http("0.0.0.0:9644") == Address("0.0.0.0", 9644)
    with pytest.raises(UsageError, match="--http"):
        parse_http("on")


def test_a_setting_is_a_name_and_a_value():
    assert parse_setting("num.partitions=3") == ("num.partitions", "3")
    assert parse_setting("listeners=A://x:1,B://y:2=") == ("listeners", "A://x:1,B://y:2=")
    with pytest.raises(UsageError, match="NAME=VALUE"):
        parse_setting("num.partitions")


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_loopback_is_known_by_name_and_address(host, loopback):
    assert is_loopback(host) is loopback
