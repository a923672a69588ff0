"""A broker in a thread: what its start and its end tell whoever waits for them."""

import signal
import threading

import pytest

from fleuve.app.in_thread import BrokerThread, guest_broker, guest_settings
from fleuve.app.options import parse_listener
from fleuve.app.sources import SettingsError
from fleuve.base.errors import FleuveError, Verdict
from fleuve.base.log import SilentLogger
from fleuve.kafka.listener import CannotListen


class CannotGoOn(FleuveError, verdict=Verdict.FATAL):
    """What ends a broker."""


@pytest.fixture
def thread(tmp_path):
    settings = guest_settings([], assigned_by="test")
    return BrokerThread(
        lambda: guest_broker(
            settings, directory=tmp_path, listener=parse_listener("127.0.0.1:0"), logger=SilentLogger()
        )
    )


def test_what_a_coroutine_in_it_returns_or_raises_comes_back(thread):
    async def fail():
        raise CannotGoOn("asked for")

    async def name():
        return threading.current_thread().name

    thread.start()
    assert thread.call(name) == "fleuve-broker"
    with pytest.raises(CannotGoOn, match="asked for"):
        thread.call(fail)
    thread.stop()


def test_a_broker_that_could_not_go_on_says_so_in_the_end(thread):
    broker = thread.start()

    async def fail():
        broker._fail(CannotGoOn("the disk is gone"))

    thread.call(fail)
    with pytest.raises(CannotGoOn, match="the disk is gone"):
        thread.stop()
    assert "fleuve-broker" not in {one.name for one in threading.enumerate()}


def test_a_start_that_fails_raises_and_ends_the_thread(tmp_path, thread):
    broker = thread.start()
    settings = guest_settings([], assigned_by="test")
    taken = parse_listener(str(broker.addresses[0]))
    second = BrokerThread(
        lambda: guest_broker(settings, directory=tmp_path / "second", listener=taken, logger=SilentLogger())
    )
    with pytest.raises(CannotListen, match="is taken"):
        second.start()
    assert [one.name for one in threading.enumerate()].count("fleuve-broker") == 1
    thread.stop()


def test_who_is_interrupted_while_it_starts_leaves_nothing_behind(tmp_path):
    settings = guest_settings([], assigned_by="test")

    def make():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
        listener = parse_listener("127.0.0.1:0")
        return guest_broker(settings, directory=tmp_path, listener=listener, logger=SilentLogger())

    with pytest.raises(KeyboardInterrupt):
        BrokerThread(make).start()
    assert "fleuve-broker" not in {one.name for one in threading.enumerate()}


def test_a_wrong_setting_is_told_with_where_it_was_given():
    with pytest.raises(SettingsError, match=r"^here: there is no setting num\.partition; did you mean"):
        guest_settings([("num.partition", "3")], assigned_by="here")
