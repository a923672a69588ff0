#!/usr/bin/env python3
"""Start Apache Kafka, the judge of what a broker must answer, or run one of its command-line tools.

    tools/apache_kafka.py fetch                          resolve the jars, once
    tools/apache_kafka.py start PORT [PROPERTY=VALUE …]  one KRaft node on 127.0.0.1:PORT, its controller on PORT + 1
    tools/apache_kafka.py stop PORT
    tools/apache_kafka.py tool NAME [ARGUMENT …]         what bin/kafka-NAME.sh does: tool topics --list …
    tools/apache_kafka.py classpath                      for a Java program of one's own

The jars come from Maven Central by name, so this needs `mvn` and Java 17 or newer; it says so in one line, with exit
status 3, where one is missing. Everything lies in .peers/apache-kafka under the project, or under $FLEUVE_PEERS.
Python's standard library is enough to run it.
"""

from __future__ import annotations

import base64
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

VERSION = "4.3.0"
LOG4J_VERSION = "2.25.1"
JAVA_MIN = 17
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0
MISSING = 3
"""Exit status where Java or Maven is not there."""

HOME = Path(os.environ.get("FLEUVE_PEERS") or Path(__file__).resolve().parent.parent / ".peers") / "apache-kafka"
JARS = HOME / f"jars-{VERSION}"

ARTIFACTS = [
    *(("org.apache.kafka", artifact, VERSION) for artifact in ("kafka_2.13", "kafka-tools")),
    # Kafka's own artifacts bring no logger.
    *(
        ("org.apache.logging.log4j", artifact, LOG4J_VERSION)
        for artifact in ("log4j-core", "log4j-slf4j-impl", "log4j-1.2-api")
    ),
]

_TOOLS = "org.apache.kafka.tools."
TOOLS = {
    "acls": _TOOLS + "AclCommand",
    "broker-api-versions": _TOOLS + "BrokerApiVersionsCommand",
    "client-metrics": _TOOLS + "ClientMetricsCommand",
    "cluster": _TOOLS + "ClusterTool",
    "configs": "kafka.admin.ConfigCommand",
    "console-consumer": _TOOLS + "consumer.ConsoleConsumer",
    "console-producer": _TOOLS + "ConsoleProducer",
    "console-share-consumer": _TOOLS + "consumer.ConsoleShareConsumer",
    "consumer-groups": _TOOLS + "consumer.group.ConsumerGroupCommand",
    "consumer-perf-test": _TOOLS + "ConsumerPerformance",
    "delegation-tokens": _TOOLS + "DelegationTokenCommand",
    "delete-records": _TOOLS + "DeleteRecordsCommand",
    "dump-log": _TOOLS + "DumpLogSegments",
    "e2e-latency": _TOOLS + "EndToEndLatency",
    "features": _TOOLS + "FeatureCommand",
    "get-offsets": _TOOLS + "GetOffsetShell",
    "groups": _TOOLS + "GroupsCommand",
    "leader-election": _TOOLS + "LeaderElectionCommand",
    "log-dirs": _TOOLS + "LogDirsCommand",
    "metadata-quorum": _TOOLS + "MetadataQuorumCommand",
    "producer-perf-test": _TOOLS + "ProducerPerformance",
    "reassign-partitions": _TOOLS + "reassign.ReassignPartitionsCommand",
    "replica-verification": _TOOLS + "ReplicaVerificationTool",
    "share-groups": _TOOLS + "consumer.group.ShareGroupCommand",
    "storage": "kafka.tools.StorageTool",
    "streams-application-reset": _TOOLS + "StreamsResetter",
    "streams-groups": _TOOLS + "streams.StreamsGroupCommand",
    "topics": _TOOLS + "TopicCommand",
    "transactions": _TOOLS + "TransactionsCommand",
    "verifiable-consumer": _TOOLS + "VerifiableConsumer",
    "verifiable-producer": _TOOLS + "VerifiableProducer",
}

LOGGING = """<Configuration status="WARN">
  <Appenders>
    <Console name="stderr" target="SYSTEM_ERR"><PatternLayout pattern="%d %p %c{1} %m%n"/></Console>
  </Appenders>
  <Loggers><Root level="${sys:log.level:-WARN}"><AppenderRef ref="stderr"/></Root></Loggers>
</Configuration>
"""

METADATA_REQUEST = struct.pack(">hhih", 3, 1, 1, -1) + struct.pack(">i", 0)
"""Metadata v1 of no topics: it names the brokers."""


def main(arguments: list[str]) -> None:
    match arguments:
        case ["fetch"]:
            fetch()
        case ["start", port, *properties] if port.isdecimal() and all("=" in text for text in properties):
            start(int(port), dict(text.split("=", 1) for text in properties))
        case ["stop", port] if port.isdecimal():
            stop(int(port))
        case ["tool", name, *rest]:
            main_class = TOOLS.get(name) or stopped(f"no tool {name}; there are {', '.join(TOOLS)}", 2)
            fetch()
            command = java(main_class, *rest)
            os.execvp(command[0], command)
        case ["classpath"]:
            fetch()
            print(JARS / "*")
        case _:
            print(__doc__, file=sys.stderr)
            sys.exit(2)


def stopped(reason: str, status: int = 1) -> NoReturn:
    print(f"apache_kafka: {reason}", file=sys.stderr)
    sys.exit(status)


def fetch() -> None:
    """Resolve the jars if they are not there, and check what running them needs."""
    found = (
        subprocess.run(["java", "-version"], capture_output=True, text=True, check=False)
        if shutil.which("java")
        else None
    )
    version = re.search(r'version "(\d+)', found.stderr) if found else None
    if version is None or int(version[1]) < JAVA_MIN:
        stopped(f"Java {JAVA_MIN} or newer is needed, and is not on the PATH", MISSING)
    HOME.mkdir(parents=True, exist_ok=True)
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not JARS.is_dir():
            _resolve()


def _resolve() -> None:
    if shutil.which("mvn") is None:
        stopped("Maven (mvn) is needed to get Kafka's jars, and is not on the PATH", MISSING)
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId><version>{version}</version>"
        "</dependency>"
        for group, artifact, version in ARTIFACTS
    )
    pom = HOME / "pom.xml"
    pom.write_text(
        "<project><modelVersion>4.0.0</modelVersion><groupId>peers</groupId><artifactId>apache-kafka</artifactId>"
        f"<version>{VERSION}</version><packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>"
    )
    (HOME / "log4j2.xml").write_text(LOGGING)
    arriving = JARS.with_suffix(".arriving")
    shutil.rmtree(arriving, ignore_errors=True)
    command = ["mvn", "-q", "-B", "-f", str(pom), "dependency:copy-dependencies", "-DincludeScope=runtime"]
    done = subprocess.run([*command, f"-DoutputDirectory={arriving}"], capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stdout[-4000:], done.stderr[-4000:], file=sys.stderr)
        stopped("Maven could not resolve Kafka's jars")
    arriving.rename(JARS)


def java(main_class: str, *arguments: str, log_level: str = "WARN") -> list[str]:
    """Return the command that runs a class of the jars."""
    heap = os.environ.get("KAFKA_HEAP_OPTS", "-Xmx512m").split()
    # The quick compiler alone: nothing here runs long enough for the other one to pay.
    options = [*heap, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", f"-Dlog.level={log_level}"]
    logging = f"-Dlog4j2.configurationFile={HOME / 'log4j2.xml'}"
    return ["java", *options, logging, "-cp", f"{JARS}/*", main_class, *arguments]


def start(port: int, properties: dict[str, str]) -> None:
    """Start a node with a new data directory, and return when it answers."""
    fetch()
    stop(port)
    node = HOME / f"node-{port}"
    shutil.rmtree(node, ignore_errors=True)
    node.mkdir()
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{port + 1}",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{port + 1}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(node / "data"),
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        **properties,
    }
    configuration = node / "server.properties"
    configuration.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
    cluster_id = base64.urlsafe_b64encode(os.urandom(16)).decode().rstrip("=").replace("-", "A")
    formatting = java("kafka.tools.StorageTool", "format", "--cluster-id", cluster_id, "--config", str(configuration))
    done = subprocess.run(formatting, capture_output=True, text=True, check=False)
    if done.returncode:
        stopped(f"no data directory could be made: {done.stdout}{done.stderr}")
    log = node / "broker.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            java("kafka.Kafka", str(configuration), log_level="INFO"),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _pid_file(port).write_text(str(process.pid))
    deadline = time.perf_counter() + START_TIMEOUT_S
    while not _has_brokers(port):
        if process.poll() is not None or time.perf_counter() > deadline:
            stop(port)
            stopped(f"Kafka did not start: {log.read_text()[-4000:]}")
        time.sleep(0.1)
    print(f"Apache Kafka {VERSION} on 127.0.0.1:{port}, process {process.pid}, its log {log}")


def stop(port: int) -> None:
    """Stop the node that `start` started on this port, if there is one, and delete its data."""
    pid_file = _pid_file(port)
    if not pid_file.exists():
        return
    pid = int(pid_file.read_text())
    deadline = time.perf_counter() + STOP_TIMEOUT_S
    while _is_kafka(pid):
        os.kill(pid, signal.SIGTERM if time.perf_counter() < deadline else signal.SIGKILL)
        time.sleep(0.2)
    pid_file.unlink()
    shutil.rmtree(HOME / f"node-{port}" / "data", ignore_errors=True)


def _pid_file(port: int) -> Path:
    return HOME / f"{port}.pid"


def _is_kafka(pid: int) -> bool:
    """Return whether this is still the process that was started, and not one that got its id since, or a zombie."""
    command = ["ps", "-ww", "-o", "stat=", "-o", "args=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "kafka.Kafka" in done.stdout and not done.stdout.startswith("Z")


def _has_brokers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            if connection.getsockname() == connection.getpeername():
                # Where nobody listens, a connection to a port of its own range may meet itself.
                return False
            connection.sendall(struct.pack(">i", len(METADATA_REQUEST)) + METADATA_REQUEST)
            with connection.makefile("rb") as stream:
                (size,) = struct.unpack(">i", stream.read(4))
                answer = stream.read(size)
    except (OSError, struct.error):
        return False
    return int.from_bytes(answer[4:8], "big") > 0


if __name__ == "__main__":
    main(sys.argv[1:])
