"""`fleuve top` at a broker: a snapshot, JSON, and the screen as somebody at a terminal has it."""

import signal
import socket

import pytest

from support.broker_process import BrokerProcess
from support.command_line import CommandLine
from support.terminal import Terminal

ALTERNATE_SCREEN, NORMAL_SCREEN = "\x1b[?1049h", "\x1b[?1049l"
SHOW_CURSOR = "\x1b[?25h"


@pytest.fixture(scope="module")
def http():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture(scope="module")
def broker(http, tmp_path_factory):
    settings = {"group.initial.rebalance.delay.ms": "0"}
    with BrokerProcess(tmp_path_factory.mktemp("broker"), settings=settings, http=http) as running:
        yield running


@pytest.fixture
def fleuve(broker, monkeypatch, capfd):
    line = CommandLine(broker.bootstrap, monkeypatch, capfd)
    line.ok("topic", "create", "orders", "payments", "-p", 3, "--if-not-exists")
    for group in ("billing", "shipping"):
        line.ok("group", "reset", group, "--topic", "orders", "--to", "earliest")
    return line


@pytest.fixture
def terminal(broker, fleuve):
    def opened(*words, **keywords):
        environment = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap}
        return Terminal("top", "--interval", "0.1", *words, environment=environment, **keywords)

    return opened


def test_metrics_that_have_no_url_are_refused(fleuve):
    ran = fleuve("top", "--metrics", "localhost:9644")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "is neither a URL, as http://localhost:9644/metrics, nor off" in ran.err


def test_a_snapshot_has_brokers_topics_and_groups(fleuve):
    rows = fleuve.ok("top", "--interval", "0.1", "--metrics", "off").rows
    assert rows[0][:2] == ["1", "broker,"]
    assert rows[1] == ["0", "records/s"]
    assert ["BROKER", "ADDRESS"] in rows
    assert ["orders", "3", "0"] in rows
    assert ["billing", "empty", "0", "0", "0", "caught", "up"] in rows


def test_a_snapshot_shows_as_many_rows_as_are_wanted_and_counts_the_rest(fleuve):
    fleuve.ok("topic", "create", "many-1", "many-2", "many-3", "--if-not-exists")
    shown = fleuve.ok("top", "--once", "--interval", "0.1", "--topic", "many-*", "--rows", 1)
    assert "many-1" in shown.out
    assert "many-2" not in shown.out
    assert "… 2 more topics" in shown.out


def test_one_object_has_the_numbers_of_one_interval(fleuve, http, broker):
    words = ["--once", "--output", "json", "--interval", "0.1", "--metrics", f"http://{http}/metrics"]
    (document,) = fleuve.ok("top", *words, "--topic", "ord*", "--group", "b*").objects
    assert document["interval_s"] > 0
    assert document["topics"] == [{"topic": "orders", "partitions": 3, "records_per_s": 0.0}]
    (group,) = document["groups"]
    assert (group["group"], group["lag"], group["course"], group["catch_up_s"]) == ("billing", 0, "caught up", None)
    (node,) = document["brokers"]
    assert f"{node['host']}:{node['port']}" == broker.bootstrap
    assert node["connections"] >= 1
    assert node["requests_per_s"] > 0


def test_another_brokers_metrics_are_not_taken_for_this_ones(fleuve, http, tmp_path, monkeypatch, capfd):
    with BrokerProcess(tmp_path / "other") as other:
        elsewhere = CommandLine(other.bootstrap, monkeypatch, capfd)
        words = ["--once", "--output", "json", "--interval", "0.1", "--metrics", f"http://{http}/metrics"]
        (document,) = elsewhere.ok("top", *words).objects
    assert [node["connections"] for node in document["brokers"]] == [None]


@pytest.mark.parametrize(
    ("words", "said"), [(["--interval", "0"], "--interval"), (["--interval", "x"], "'x'"), (["--rows", "-1"], "--rows")]
)
def test_wrong_use_is_one_line_and_exit_code_2(fleuve, words, said):
    ran = fleuve("top", *words)
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert said in ran.err


def test_a_cluster_that_is_not_there_is_said_before_there_is_a_screen(fleuve):
    with Terminal("top", environment={"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1"}) as terminal:
        assert terminal.ended() == 1
        assert ALTERNATE_SCREEN not in terminal.printed
        assert "no broker answers at 127.0.0.1:1" in terminal.printed


@pytest.mark.parametrize(("key", "code"), [("q", 0), ("\x03", 130)], ids=["q", "Ctrl-C"])
def test_the_terminal_is_given_back_as_it_was(terminal, key, code):
    with terminal() as screen:
        printed = screen.until("billing")
        assert printed.startswith(ALTERNATE_SCREEN)
        screen.type(key)
        assert screen.ended() == code
        assert screen.printed.rindex(NORMAL_SCREEN) > screen.printed.rindex(ALTERNATE_SCREEN)
        assert SHOW_CURSOR in screen.printed
        assert screen.settings_now() == screen.settings
        assert "Traceback" not in screen.printed


def test_the_terminal_is_given_back_when_the_system_ends_the_command(terminal):
    with terminal() as screen:
        screen.until("billing")
        screen.terminate()
        assert screen.ended() == 128 + signal.SIGTERM
        assert screen.printed.rindex(NORMAL_SCREEN) > screen.printed.rindex(ALTERNATE_SCREEN)
        assert screen.settings_now() == screen.settings


def test_it_draws_anew_when_the_window_changes(terminal):
    with terminal(columns=80) as screen:
        screen.until("billing")
        screen.resize(40, 160)
        screen.forget()
        # Side by side: both headings in one line.
        screen.until(lambda printed: any("TOPIC" in line and "GROUP" in line for line in printed.splitlines()))
        screen.type("q")
        assert screen.ended() == 0


def test_keys_sort_and_halt(terminal):
    with terminal("--rows", 1) as screen:
        screen.until("more, by lag")
        screen.type("gt")
        screen.until("more, by name")
        screen.type(" ")
        screen.until("halted")
        screen.type("q")
        assert screen.ended() == 0


def test_a_broker_that_goes_away_is_said_and_its_return_is_seen(tmp_path, monkeypatch, capfd):
    with BrokerProcess(tmp_path / "broker") as broker:
        CommandLine(broker.bootstrap, monkeypatch, capfd).ok("topic", "create", "kept-in-sight")
        environment = {"KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap}
        with Terminal("top", "--interval", "0.1", environment=environment, columns=100) as screen:
            screen.until("kept-in-sight")
            broker.terminate()
            screen.until(lambda printed: "seen last at" in printed and "no broker answers" in printed)
            broker.start()
            screen.forget()
            screen.until(lambda printed: "seen at" in printed and "kept-in-sight" in printed)
            screen.type("q")
            assert screen.ended() == 0
