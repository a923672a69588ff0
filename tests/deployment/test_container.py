"""The container image, as far as it can be tried without a container engine: what it runs, and with what environment.

The environments are those that people's Compose files have for Apache Kafka's, Confluent's and Bitnami's images. Ports
are exchanged for free ones; everything else is as written there.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource

from support.ports import quiet_port

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "packaging/container"
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
TIMEOUT_S = 20
HOSTNAME = socket.gethostname()

APACHE = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_LISTENERS": "CONTROLLER://:29093,PLAINTEXT_HOST://:9092,PLAINTEXT://:19092",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT_HOST://localhost:9092,PLAINTEXT://broker:19092",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@broker:29093",
    "CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_SHARE_COORDINATOR_STATE_TOPIC_MIN_ISR": "1",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_NUM_PARTITIONS": "3",
}
CONFLUENT = {
    "KAFKA_NODE_ID": "1",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://broker:29092,PLAINTEXT_HOST://localhost:9092",
    "KAFKA_PROCESS_ROLES": "broker,controller",
    "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@broker:29093",
    "KAFKA_LISTENERS": "PLAINTEXT://localhost:29092,CONTROLLER://localhost:29093,PLAINTEXT_HOST://0.0.0.0:9092",
    "KAFKA_INTER_BROKER_LISTENER_NAME": "PLAINTEXT",
    "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
    "KAFKA_CONFLUENT_LICENSE_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_CONFLUENT_BALANCER_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_JMX_PORT": "9101",
    "KAFKA_JMX_HOSTNAME": "localhost",
    "KAFKA_HEAP_OPTS": "-Xmx1g",
    "CLUSTER_ID": "MkU3OEVBNTcwNTJENDM2Qk",
}
CONFLUENT_WITH_ZOOKEEPER = {
    "KAFKA_BROKER_ID": "1",
    "KAFKA_ZOOKEEPER_CONNECT": "zookeeper:2181",
    "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
    "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://broker:29092,PLAINTEXT_HOST://localhost:9092",
    "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    "KAFKA_METRIC_REPORTERS": "io.confluent.metrics.reporter.ConfluentMetricsReporter",
    "KAFKA_LOG4J_LOGGERS": "kafka.controller=INFO",
    "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "true",
}
BITNAMI = {
    "ALLOW_PLAINTEXT_LISTENER": "yes",
    "KAFKA_ENABLE_KRAFT": "yes",
    "KAFKA_KRAFT_CLUSTER_ID": "ehB92ChxEe2iYQAAAkKsEg",
    "KAFKA_CFG_NODE_ID": "0",
    "KAFKA_CFG_PROCESS_ROLES": "controller,broker",
    "KAFKA_CFG_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
    "KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
    "KAFKA_CFG_CONTROLLER_QUORUM_VOTERS": "0@kafka:9093",
    "KAFKA_CFG_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
    "KAFKA_CFG_AUTO_CREATE_TOPICS_ENABLE": "true",
}
BITNAMI_ADVERTISED = BITNAMI | {
    "KAFKA_CFG_LISTENERS": "PLAINTEXT://0.0.0.0:9092,INTERNAL://0.0.0.0:29092,CONTROLLER://:9093",
    "KAFKA_CFG_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:9092,INTERNAL://kafka:29092",
    "KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "KAFKA_CFG_INTER_BROKER_LISTENER_NAME": "INTERNAL",
}


def instructions(name):
    """Return the arguments of an instruction of the Dockerfile's last stage, one after another."""
    text = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    stage = text[text.rindex("\nFROM ") :]
    return re.findall(rf"^{name} (.*)$", stage, re.MULTILINE)


class Container:
    """What the image's entry point runs, without the image: the same script, environment and arguments."""

    def __init__(self, directory, environment, *arguments, script=CONTAINER / "entrypoint.sh"):
        self.ports = {}
        self.directory = directory
        self._ready = directory / "ready"
        self.errors = directory / "stderr.log"
        self.environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "KAFKA_LOG_DIR": str(directory / "data"),
            "KAFKA_FLEUVE_HTTP_LISTEN": ":9644",
            **environment,
        }
        self.environment = {name: self._free(text) for name, text in self.environment.items()}
        text = self._free(Path(script).read_text())
        self._script = directory / "entrypoint.sh"
        self._script.write_text(text.replace("/mnt/shared/config", str(directory / "config")))
        self._arguments = arguments

    def _free(self, text):
        """Return the text with other ports, which nobody has."""

        def free(match):
            return self.ports.setdefault(match[0], str(quiet_port()))

        return re.sub(r"(?<=:)(9092|9093|19092|29092|29093|9644)\b", free, text)

    def __enter__(self):
        command = ["sh", str(self._script), "serve", "--ready-file", str(self._ready), *self._arguments]
        with self.errors.open("w") as errors:
            self._process = subprocess.Popen(
                command, cwd=self.directory, env=self.environment, stdin=subprocess.DEVNULL, stderr=errors
            )
        deadline = time.monotonic() + TIMEOUT_S
        while not self._ready.exists():
            assert self._process.poll() is None, self.errors.read_text()
            assert time.monotonic() < deadline, self.errors.read_text()
            time.sleep(0.005)
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        assert self._process.wait(TIMEOUT_S) == 0, self.errors.read_text()

    def told(self, port):
        """Return where the broker tells a client to connect to that comes through a port; ports as in the image."""
        bootstrap = f"localhost:{self.ports[port]}"
        brokers = AdminClient({"bootstrap.servers": bootstrap}).list_topics(timeout=TIMEOUT_S).brokers.values()
        ours = {theirs: image for image, theirs in self.ports.items()}
        return [f"{broker.host}:{ours[str(broker.port)]}" for broker in brokers]

    def health(self):
        """Run the image's health check."""
        return subprocess.run(
            [sys.executable, "-IS", str(CONTAINER / "healthcheck.py")],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )


# ---------------------------------------------------------------- the environment


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, {"9092": "localhost:9092"}),
        (APACHE, {"9092": "localhost:9092", "19092": "broker:19092"}),
        (CONFLUENT, {"9092": "localhost:9092", "29092": "broker:29092"}),
        (CONFLUENT_WITH_ZOOKEEPER, {"9092": "localhost:9092", "29092": "broker:29092"}),
        (BITNAMI, {"9092": f"{HOSTNAME}:9092"}),
        (BITNAMI_ADVERTISED, {"9092": "localhost:9092", "29092": "kafka:29092"}),
        (COMPOSE["services"]["fleuve"]["environment"], {"9092": "localhost:9092", "19092": "fleuve:19092"}),
    ],
    ids=["none", "apache", "confluent", "confluent-zookeeper", "bitnami", "bitnami-advertised", "compose.yaml"],
)
def test_the_environment_of_a_compose_file_starts_a_broker_that_tells_clients_the_right_address(
    tmp_path, environment, told
):
    with Container(tmp_path, environment) as container:
        assert {port: container.told(port) for port in told} == {port: [address] for port, address in told.items()}
        health = container.health()
        assert (health.returncode, json.loads(health.stdout)["status"]) == (0, "ok"), health
    assert (tmp_path / "data/catalog.sqlite").exists()


def test_a_broker_that_does_not_answer_is_not_healthy(tmp_path):
    health = Container(tmp_path, {}).health()
    assert (health.returncode, health.stdout.startswith("no answer from")) == (1, True)


def test_a_mounted_file_is_read_and_the_environment_comes_before_it(tmp_path):
    (tmp_path / "config").mkdir()
    lines = ["listeners=PLAINTEXT://:19092", "advertised.listeners=PLAINTEXT://localhost:19092", "num.partitions=4"]
    container = Container(tmp_path, {"KAFKA_NUM_PARTITIONS": "5"})
    (tmp_path / "config/server.properties").write_text(container._free("\n".join(lines)))
    with container:
        assert container.told("19092") == ["localhost:19092"]
        admin = AdminClient({"bootstrap.servers": f"localhost:{container.ports['19092']}"})
        (broker,) = admin.describe_configs([ConfigResource(ConfigResource.Type.BROKER, "1")]).values()
        assert broker.result(TIMEOUT_S)["num.partitions"].value == "5"


def test_records_go_through_the_port_that_compose_gives_the_host(tmp_path):
    with Container(tmp_path, COMPOSE["services"]["fleuve"]["environment"]) as container:
        producer = Producer({"bootstrap.servers": f"localhost:{container.ports['9092']}"})
        producer.produce("greetings", b"hello", partition=0)
        assert producer.flush(TIMEOUT_S) == 0
        consumer = Consumer({"bootstrap.servers": f"localhost:{container.ports['9092']}", "group.id": "g"})
        consumer.assign([TopicPartition("greetings", 0, 0)])
        assert consumer.poll(TIMEOUT_S).value() == b"hello"
        consumer.close()


@pytest.mark.parametrize(
    ("advertised", "said"),
    [
        ("fleuve.invalid:19092", "Failed to resolve 'fleuve.invalid:"),
        ("localhost:1", "Connect to ipv4#127.0.0.1:1 failed: Connection refused"),
    ],
)
def test_a_wrong_advertised_address_is_told_as_the_page_says(tmp_path, advertised, said):
    environment = {"KAFKA_LISTENERS": "PLAINTEXT://:9092", "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{advertised}"}
    page = (ROOT / "docs/containers.md").read_text()
    assert said.replace(".invalid", "").replace(":1 ", ":9092 ") in page
    with Container(tmp_path, environment) as container:
        heard = []
        bootstrap = f"localhost:{container.ports['9092']}"
        producer = Producer({"bootstrap.servers": bootstrap, "error_cb": lambda error: heard.append(str(error))})
        producer.produce("t", b"x")
        for _ in range(TIMEOUT_S * 10):
            producer.poll(0.1)
            if any(said in message for message in heard):
                break
        assert any(said in message for message in heard), heard
        producer.purge()


def test_flags_come_before_what_the_image_fills_in(tmp_path):
    container = Container(tmp_path, {}, "--listen", "127.0.0.1:9092")
    container._arguments = tuple(map(container._free, container._arguments))
    with container:
        assert container.told("9092") == ["127.0.0.1:9092"]


def test_any_other_command_is_run_as_it_is(tmp_path):
    ran = subprocess.run(
        ["sh", str(CONTAINER / "entrypoint.sh"), "--version"],
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert (ran.returncode, ran.stdout.startswith("fleuve ")) == (0, True), ran


# ---------------------------------------------------------------- the image


def test_the_image_runs_as_a_numbered_user_that_owns_its_volume():
    assert instructions("USER") == ["1000:1000"]
    assert instructions("VOLUME") == ['["/var/lib/fleuve"]']
    assert any("install -d -o 1000 -g 1000 -m 0700 /var/lib/fleuve" in run for run in instructions("RUN"))
    assert any("KAFKA_LOG_DIR=/var/lib/fleuve" in line for line in instructions("ENV"))


def test_the_image_names_its_ports_its_health_check_and_how_it_is_stopped():
    assert instructions("EXPOSE") == ["9092 9644"]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    (check,) = instructions("HEALTHCHECK")
    assert check.endswith('CMD ["fleuve-healthcheck"]')
    assert instructions("ENTRYPOINT") == ['["fleuve-entrypoint"]']
    assert instructions("CMD") == ['["serve"]']


def test_the_image_installs_locked_wheels_alone_on_a_base_without_an_architecture():
    text = (ROOT / "Dockerfile").read_text()
    assert "--require-hashes" in text
    assert "--only-binary :all:" in text
    assert set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) == {"docker.io/library/python:${PYTHON_VERSION}-slim"}


def test_what_the_image_is_made_of_is_in_the_build_context():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    kept = tuple(line.removeprefix("!") for line in ignored if line.startswith("!"))
    assert "*" in ignored
    copied = re.findall(r"^COPY (?!--from)(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    for line in copied:
        for source in line.split()[:-1]:
            assert (ROOT / source).exists()
            assert source.startswith(kept), source


def test_the_services_of_compose_stop_later_than_the_broker_and_keep_their_data_in_a_volume():
    service = COMPOSE["services"]["fleuve"]
    assert service["stop_grace_period"] == "15s"
    (volume,) = service["volumes"]
    name, _, target = volume.partition(":")
    assert name in COMPOSE["volumes"]
    assert f'["{target}"]' in instructions("VOLUME")


def test_the_scripts_are_plain_shell():
    shell = shutil.which("dash") or "sh"
    ran = subprocess.run([shell, "-n", str(CONTAINER / "entrypoint.sh")], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
