"""`fleuve serve` as a process: what cannot work is one line that says what to do; what works tells so, and ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from support.broker_process import BrokerProcess

FLEUVE = [sys.executable, "-m", "fleuve"]
# A broker that starts although it should not is a failure, not a test that hangs.
TIMEOUT_S = 20


def serve(*arguments, cwd, environment=None):
    """Run `fleuve serve` to its end."""
    return subprocess.run(
        [*FLEUVE, "serve", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def assert_refused(ran, code, *words):
    """Check that a start ended with one line that has these words, beside warnings."""
    lines = [line for line in ran.stderr.splitlines() if '"level": "warning"' not in line]
    assert (ran.returncode, len(lines), ran.stdout) == (code, 1, ""), ran.stderr
    assert [word for word in words if word not in lines[0]] == []


@pytest.fixture
def taken():
    """A port that somebody else listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


# ---------------------------------------------------------------- what cannot work


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--set", "num.partitons=3"], ["--set", "num.partitons", "did you mean num.partitions"]),
        (["--set", "foo.bar=1"], ["--set", "there is no setting foo.bar"]),
        (["--set", "num.partitions=many"], ["--set", "num.partitions", "many"]),
        (["--set", "num.partitions"], ["--set", "want NAME=VALUE"]),
        (["--set", "=3"], ["--set", "want NAME=VALUE"]),
        (["--listen", "nonsense"], ["--listen", "want HOST:PORT"]),
        (["--listen", "127.0.0.1:99999"], ["--listen", "from 0 to 65535"]),
        (["--listen", "0.0.0.0:0"], ["--listen", "every interface", "0.0.0.0:0@HOST"]),
        (["--listen", "[::]:0"], ["--listen", "every interface"]),
        (["--listen", "A=127.0.0.1:0", "--listen", "A=127.0.0.1:0"], ["--listen", "two listeners are named A"]),
        (["--http", "nonsense"], ["--http", "want HOST:PORT"]),
        (["--config", "missing.properties"], ["--config missing.properties", "No such file"]),
        (["--data-dir", ""], ["--data-dir", "empty"]),
        (["--ephemeral", "--data-dir", "d"], ["--ephemeral", "--data-dir"]),
        (["--set", "listeners=SSL://localhost:9093"], ["listener SSL", "not supported"]),
        (["--listen", "SSL=127.0.0.1:0"], ["--listen", "listener SSL is SSL", "not supported"]),
        (["--listen", "SASL_SSL=127.0.0.1:0"], ["--listen", "listener SASL_SSL", "not supported"]),
        (["--listen", "127.0.0.1:0", "--set", "listeners=A://127.0.0.1:0"], ["listeners", "--listen", "give one"]),
        (["--set", "authorizer.class.name=some.Authorizer"], ["authorizer.class.name is refused"]),
    ],
    ids=" ".join,
)
def test_what_is_used_wrongly_ends_with_2_and_leaves_nothing(tmp_path, arguments, words):
    assert_refused(serve(*arguments, cwd=tmp_path), 2, *words)
    assert list(tmp_path.iterdir()) == []


def test_a_file_with_a_tls_listener_is_refused_by_its_line(tmp_path):
    (tmp_path / "server.properties").write_text("# Kafka's\nlisteners=SSL://localhost:9093\n")
    assert_refused(serve("--config", "server.properties", cwd=tmp_path), 2, "server.properties:2", "SSL", "PLAINTEXT")


def test_a_variable_that_is_no_setting_is_refused_by_its_name(tmp_path):
    ran = serve("--http", "off", cwd=tmp_path, environment={"KAFKA_NUM_PARTITONS": "3"})
    assert_refused(ran, 2, "KAFKA_NUM_PARTITONS", "num.partitions")


def test_a_port_that_is_taken_is_said(tmp_path, taken):
    assert_refused(serve("--listen", f"127.0.0.1:{taken}", "--http", "off", cwd=tmp_path), 1, str(taken), "choose")


def test_an_http_port_that_is_taken_is_said(tmp_path, taken):
    ran = serve("--listen", "127.0.0.1:0", "--http", f"127.0.0.1:{taken}", cwd=tmp_path)
    assert_refused(ran, 1, "--http", str(taken), "choose")


def test_an_address_of_another_machine_is_said(tmp_path):
    ran = serve("--listen", "203.0.113.7:0", "--http", "off", cwd=tmp_path)
    assert_refused(ran, 1, "203.0.113.7:0", "this machine has no such address")


def test_a_data_directory_that_is_a_file_is_said(tmp_path):
    (tmp_path / "file").touch()
    ran = serve("--listen", "127.0.0.1:0", "--http", "off", "--data-dir", "file", cwd=tmp_path)
    assert_refused(ran, 1, str(tmp_path / "file"), "give a directory")


def test_a_data_directory_of_a_newer_version_is_said(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data/format").write_text("99\n")
    ran = serve("--listen", "127.0.0.1:0", "--http", "off", "--data-dir", "data", cwd=tmp_path)
    assert_refused(ran, 1, "format 99", "newer")


def test_a_data_directory_that_is_not_writable_is_said(tmp_path):
    (tmp_path / "data").mkdir(mode=0o500)
    # Root may write everywhere, so it becomes somebody else first; in a process that has already read its code, since
    # that may lie where nobody else may read.
    code = (
        "import os, sys, encodings.idna, fleuve.app.serve; from fleuve.cli.main import main;"
        "os.geteuid() or (os.setgid(65534), os.setuid(65534)); sys.exit(main(sys.argv[1:]))"
    )
    ran = subprocess.run(
        [
            sys.executable,
            "-c",
            code,
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--http",
            "off",
            "--data-dir",
            tmp_path / "data",
        ],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert_refused(ran, 1, str(tmp_path / "data"), "not writable")


def test_a_ready_file_that_cannot_be_written_is_said(tmp_path):
    ran = serve("--listen", "127.0.0.1:0", "--http", "off", "--ready-file", tmp_path / "no/such", cwd=tmp_path)
    assert_refused(ran, 2, "--ready-file", str(tmp_path / "no/such"))


def test_a_ready_file_that_is_a_directory_is_said_and_leaves_nothing_beside_it(tmp_path):
    ready = tmp_path / "ready"
    ready.mkdir()
    ran = serve("--ephemeral", "--listen", "127.0.0.1:0", "--http", "off", "--ready-file", ready, cwd=tmp_path)
    assert_refused(ran, 2, "--ready-file", str(ready))
    assert list(tmp_path.iterdir()) == [ready]


def test_a_data_directory_that_is_in_use_names_the_process(tmp_path):
    with BrokerProcess(tmp_path / "broker") as broker:
        ran = serve("--listen", "127.0.0.1:0", "--http", "off", "--data-dir", broker.data_dir, cwd=tmp_path)
        assert_refused(ran, 1, "in use", str(broker.pid))


# ---------------------------------------------------------------- what is told


def test_the_ready_file_is_there_while_the_broker_serves(tmp_path):
    with BrokerProcess(tmp_path) as broker:
        assert (tmp_path / "ready").read_text() == f"{broker.bootstrap}\n"
        broker.terminate()
        assert not (tmp_path / "ready").exists()


def test_the_ready_line_tells_address_directory_and_promise(tmp_path):
    with BrokerProcess(tmp_path) as broker:
        pass
    assert broker.stdout == f"fleuve is ready: {broker.bootstrap}; data in {tmp_path / 'data'}; promise: flushed\n"


def test_the_ready_line_tells_the_weaker_promise(tmp_path):
    with BrokerProcess(tmp_path, settings={"log.flush.interval.messages": 1000}) as broker:
        pass
    assert broker.stdout.endswith("promise: page cache\n")


def test_a_listener_that_others_can_reach_is_one_warning(tmp_path):
    with BrokerProcess(tmp_path, arguments=["--listen", "OUT=0.0.0.0:0@broker.example:9092"]) as broker:
        pass
    warnings = [line for line in broker.stderr.splitlines() if "other machines" in line]
    assert len(warnings) == 1
    assert "0.0.0.0" in warnings[0]


def test_loopback_is_no_reason_for_a_warning(tmp_path):
    with BrokerProcess(tmp_path, arguments=["--log-format", "json"]) as broker:
        pass
    assert [json.loads(line)["event"] for line in broker.stderr.splitlines()] == ["stopping"]


def test_an_ephemeral_broker_leaves_nothing_behind(tmp_path):
    (tmp_path / "tmp").mkdir()
    arguments = ["serve", "--ephemeral", "--listen", "127.0.0.1:0", "--http", "off"]
    with subprocess.Popen(
        [*FLEUVE, *arguments], stdout=subprocess.PIPE, env={**os.environ, "TMPDIR": str(tmp_path / "tmp")}, text=True
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert "a temporary directory" in line
        produce(line.split(": ", 1)[1].split(";")[0], 10)
        process.terminate()
        assert process.wait(TIMEOUT_S) == 0
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("closed", [">&-", "<&- >&- 2>&-"])
def test_a_broker_needs_no_standard_output(tmp_path, closed):
    ready = tmp_path / "ready"
    command = f'exec "$@" {closed}'
    arguments = ["serve", "--ephemeral", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--ready-file", str(ready)]
    with subprocess.Popen(["sh", "-c", command, "sh", *FLEUVE, *arguments]) as process:
        produce(wait_for(ready, process), 10)
        process.terminate()
        assert process.wait(TIMEOUT_S) == 0


# ---------------------------------------------------------------- how it ends


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_with_0(tmp_path, number):
    broker = BrokerProcess(tmp_path)
    broker.start()
    broker.signal(number)
    assert broker.wait() == 0
    broker.check()


def test_it_stops_in_time_with_a_consumer_that_waits_and_a_producer_that_goes_on(tmp_path):
    with BrokerProcess(tmp_path) as broker:
        produce(broker.bootstrap, 1)
        quiet = {"bootstrap.servers": broker.bootstrap, "log_level": 0}
        settings = {"group.id": "g", "enable.auto.commit": False, "fetch.wait.max.ms": 60_000}
        consumer = Consumer({**quiet, **settings})
        consumer.assign([TopicPartition("topic", 0, 0)])
        assert consumer.poll(TIMEOUT_S) is not None
        producer, over = Producer({**quiet, "linger.ms": 0, "message.timeout.ms": 2_000}), threading.Event()

        def load():
            while not over.is_set():
                try:
                    producer.produce("topic", b"x" * 1000)
                except BufferError:
                    pass
                producer.poll(0.001)

        loading = threading.Thread(target=load)
        loading.start()
        try:
            broker.signal(signal.SIGTERM)
            process = broker._process
            assert process is not None
            assert process.wait(10) == 0  # The promise.
        finally:
            over.set()
            loading.join()
            broker.kill()
        consumer.close()


def test_the_second_signal_ends_it_at_once_and_costs_nothing(tmp_path):
    broker = BrokerProcess(tmp_path)
    broker.start()
    produce(broker.bootstrap, 100)
    broker.signal(signal.SIGTERM)
    broker.signal(signal.SIGTERM)
    # It may have been quicker than the second signal.
    assert broker.wait() in {0, 128 + signal.SIGTERM}
    with broker:
        assert consume(broker.bootstrap, 100) == [b"%d" % index for index in range(100)]


# ---------------------------------------------------------------- clients


def wait_for(ready: Path, process: subprocess.Popen[bytes]) -> str:
    """Return the address in the ready file, when it is there."""
    while not ready.exists():
        assert process.poll() is None
        time.sleep(0.005)
    return ready.read_text().strip()


def produce(address, count):
    producer = Producer({"bootstrap.servers": address})
    failed = []
    for index in range(count):
        producer.produce("topic", b"%d" % index, on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(TIMEOUT_S) == 0
    assert failed == []


def consume(address, count):
    consumer = Consumer({"bootstrap.servers": address, "group.id": "g", "auto.offset.reset": "earliest"})
    consumer.assign([TopicPartition("topic", 0, 0)])
    messages = [consumer.poll(TIMEOUT_S) for _ in range(count)]
    consumer.close()
    return [message.value() for message in messages if message is not None]
