"""The unit for systemd: it is understood, it fits the broker, and the broker says when it serves."""

import configparser
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from fleuve.app.serve import STOP_S_MAX
from fleuve.cli.main import make_parser
from fleuve.cli.parsers import EXIT_USAGE
from support.broker_process import BrokerProcess

UNIT = Path(__file__).parents[2] / "packaging/systemd/fleuve.service"
TIMEOUT_S = 20


def settings(name):
    """Return the values of a setting of the unit's service."""
    lines = [line.partition("=") for line in UNIT.read_text().splitlines()]
    return [value for found, _, value in lines if found == name]


def test_it_is_a_file_of_sections():
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str
    parser.read(UNIT)
    assert parser.sections() == ["Unit", "Service", "Install"]


def test_its_command_is_one_that_fleuve_understands():
    (command,) = settings("ExecStart")
    program, *words = command.split()
    assert Path(program).name == "fleuve"
    parsed = make_parser().parse_args(words)
    (state,) = settings("StateDirectory")
    assert str(parsed.data_dir) == f"%S/{state}"


def test_it_waits_longer_than_a_stop_takes_and_does_not_restart_what_was_used_wrongly():
    assert settings("TimeoutStopSec") == ["15s"]
    assert STOP_S_MAX < 15
    assert settings("RestartPreventExitStatus") == [str(EXIT_USAGE)]


@pytest.mark.parametrize("name", ["\0fleuve-test-{}", "{}/notify"], ids=["abstract", "file"])
def test_the_manager_is_told_when_the_broker_serves_and_when_it_stops(tmp_path, name):
    assert settings("Type") == ["notify"]
    address = name.format(tmp_path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(TIMEOUT_S)
        manager.bind(address)
        environment = {"NOTIFY_SOCKET": address.replace("\0", "@")}
        with BrokerProcess(tmp_path, environment=environment) as broker:
            assert manager.recv(100) == b"READY=1"
            broker.terminate()
            assert manager.recv(100) == b"STOPPING=1"


def test_a_manager_that_is_gone_does_not_matter(tmp_path):
    with BrokerProcess(tmp_path, environment={"NOTIFY_SOCKET": str(tmp_path / "gone")}):
        pass


@pytest.mark.skipif("CI" not in os.environ and not shutil.which("systemd-analyze"), reason="no systemd-analyze")
def test_systemd_finds_nothing_wrong(tmp_path):
    # What it starts is installed on the machine that runs it, not here.
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/fleuve/bin/fleuve", "/bin/true"))
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (ran.returncode, ran.stdout + ran.stderr) == (0, "")
