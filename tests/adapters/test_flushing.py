"""Flushing on macOS, imitated: what a file system does not know is made up for, and nothing else is."""

import errno
import fcntl
import sys

import pytest

from fleuve.adapters import flushing
from support.elsewhere import StandIn


@pytest.fixture
def refusing(monkeypatch):
    """Let F_FULLFSYNC fail with an error."""

    def refuse(number):
        def control(*_):
            raise OSError(number, "refused")

        monkeypatch.setattr(flushing, "sys", StandIn(sys, platform="darwin"))
        monkeypatch.setitem(sys.modules, "fcntl", StandIn(fcntl, fcntl=control, F_FULLFSYNC=51))

    return refuse


def test_a_file_system_that_knows_no_full_flush_has_an_ordinary_one(refusing, tmp_path):
    refusing(errno.ENOTSUP)
    with (tmp_path / "file").open("wb") as file:
        flushing.flush(file.fileno())


def test_a_device_that_fails_is_told_since_a_second_flush_would_not_tell(refusing, tmp_path):
    refusing(errno.EIO)
    with (tmp_path / "file").open("wb") as file, pytest.raises(OSError, match="refused"):
        flushing.flush(file.fileno())
