"""`fleuve run -- COMMAND`: what the command is told, how it ends, and what is left afterwards."""

import os
import signal
import subprocess
import sys

import pytest

from support.terminal import Terminal

FLEUVE = [sys.executable, "-m", "fleuve", "run"]
TIMEOUT_S = 30


@pytest.fixture
def run(tmp_path):
    """Run `fleuve run` to its end; it must leave nothing behind."""
    left = tmp_path / "left"
    left.mkdir()

    def run(*words, stdin="", environment=None):
        ran = subprocess.run(
            [*FLEUVE, *words],
            input=stdin,
            env=os.environ | {"TMPDIR": str(left)} | (environment or {}),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert list(left.iterdir()) == []
        return ran

    return run


def python(program):
    return ["--", sys.executable, "-c", program]


USE = """
import os
from confluent_kafka import Producer
producer = Producer({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]})
producer.produce("events", "value", on_delivery=lambda error, message: print(error, message.offset()))
producer.flush()
"""


def test_a_command_finds_its_broker_in_a_variable(run):
    ran = run(*python(USE))
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "None 0\n", "")


def test_other_variables_can_have_the_address_too(run):
    program = 'import os; print(os.environ["KAFKA_BROKERS"] == os.environ["KAFKA_BOOTSTRAP_SERVERS"])'
    assert run("--env", "KAFKA_BROKERS", *python(program)).stdout == "True\n"


def test_settings_are_the_flags_and_not_the_environments(run):
    program = """
import os
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType
admin = AdminClient({"bootstrap.servers": os.environ["KAFKA_BOOTSTRAP_SERVERS"]})
resource = ConfigResource(ResourceType.BROKER, "1")
configs = admin.describe_configs([resource])[resource].result()
print(configs["num.partitions"].value, configs["message.max.bytes"].value)
"""
    environment = {"KAFKA_MESSAGE_MAX_BYTES": "1000", "KAFKA_BOOTSTRAP_SERVERS": "elsewhere:9092"}
    ran = run("--set", "num.partitions=7", *python(program), environment=environment)
    assert (ran.stdout, ran.stderr) == ("7 1048588\n", "")


@pytest.mark.parametrize("code", [0, 1, 42])
def test_the_exit_code_is_the_commands(run, code):
    assert run(*python(f"import sys; sys.exit({code})")).returncode == code


def test_a_signal_that_ends_the_command_is_told_as_shells_do(run):
    program = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    assert run(*python(program)).returncode == 128 + signal.SIGKILL


def test_standard_streams_are_the_commands(run):
    program = "import sys; print(sys.stdin.read().upper()); print('aside', file=sys.stderr)"
    ran = run(*python(program), stdin="text")
    assert (ran.stdout, ran.stderr) == ("TEXT\n", "aside\n")


@pytest.mark.parametrize("words", [["--", "echo", "--", "--set", "x"], ["echo", "--", "--set", "x"]])
def test_what_stands_behind_the_command_is_the_commands(run, words):
    assert run(*words).stdout == "-- --set x\n"


def test_a_command_that_does_not_exist_is_127(run):
    ran = run("--", "no-such-command")
    assert ran.returncode == 127
    assert ran.stderr == (
        "fleuve: run: there is no command 'no-such-command'; name a program that is on the PATH, behind --\n"
    )


def test_a_file_that_is_no_program_is_126(run, tmp_path):
    (tmp_path / "text").write_text("no program")
    ran = run("--", str(tmp_path / "text"))
    assert ran.returncode == 126
    told = "cannot be run: Permission denied; name a program that may be executed"
    assert ran.stderr == f"fleuve: run: {tmp_path / 'text'} {told}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name the command to run, as in: fleuve run -- pytest"),
        (["--"], "name the command to run"),
        (["--sett", "a=b", "--", "true"], "unrecognized arguments: --sett"),
        (["--set", "num.partition=3", "--", "true"], "did you mean num.partitions?"),
        (["--set", "listeners=PLAINTEXT://:1", "--", "true"], "--set listeners: use --listen"),
        (["--env", "A=B", "--", "true"], "'A=B' is not a variable's name"),
        (["--listen", "9092", "--", "true"], "'9092' is not an address"),
    ],
)
def test_what_is_used_wrongly_is_told_in_a_line(run, words, said):
    ran = run(*words)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (2, "", 1), ran.stderr
    assert said in ran.stderr


def test_a_port_that_is_taken_is_told_in_a_line(run):
    program = f"""
import os, subprocess
command = {FLEUVE!r} + ["--listen", os.environ["KAFKA_BOOTSTRAP_SERVERS"], "--", "true"]
ran = subprocess.run(command, capture_output=True, text=True)
print(ran.returncode, ran.stderr)
"""
    ran = run(*python(program))
    assert ran.stdout.startswith("1 fleuve: port ")
    assert "is taken" in ran.stdout


WAITS = """
import signal, sys
# Held back until it is waited for: one that came just before a pause() would be handled after it, which never ends.
signal.pthread_sigmask(signal.SIG_BLOCK, [{number}])
print("ready", flush=True)
signal.sigwait([{number}])
sys.exit(7)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["INT", "TERM", "HUP"])
def test_signals_reach_the_command_and_the_broker_is_gone_afterwards(tmp_path, number):
    # In a session of its own, as in CI: there is no terminal that would tell the command itself.
    process = subprocess.Popen(
        [*FLEUVE, *python(WAITS.format(number=int(number)))],
        env=os.environ | {"TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        output, complaints = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, output, complaints) == (7, "", "")
    assert list(tmp_path.iterdir()) == []


COUNTS = """
import signal, sys
count = 0
def received(number, frame):
    global count
    count += 1
signal.signal(signal.SIGINT, received)
print("ready", flush=True)
sys.stdin.readline()
print("interrupted", count, flush=True)
"""


def test_a_key_of_the_terminal_reaches_the_command_once(tmp_path):
    with Terminal("run", *python(COUNTS), environment={"TMPDIR": str(tmp_path)}) as terminal:
        terminal.until("ready")
        terminal.type("\x03")
        terminal.until("^C")
        terminal.type("\r")
        terminal.until("interrupted 1")
        assert terminal.ended() == 0
    assert list(tmp_path.iterdir()) == []
