"""What the broker is told at start, and what it says when that cannot be."""

from __future__ import annotations

import pytest

from fleuve.app.registry import registry
from fleuve.app.sources import SettingsError, Source, environment_name, read
from fleuve.base.setting import Scope, Status


def settings(*assignments, flags=None, environment=None, config=None):
    return read(registry(), flags=flags, assignments=assignments, environment=environment or {}, config=config)


def refusal(*assignments, **sources):
    with pytest.raises(SettingsError) as caught:
        settings(*assignments, **sources)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.fixture
def file(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "server.properties"
        path.write_bytes(text.encode(encoding))
        return path

    return write


# ---------------------------------------------------------------- precedence


def test_without_sources_every_setting_has_its_default():
    empty = settings()
    assert dict(empty) == {}
    assert empty.integer("num.partitions") == 1
    assert empty.boolean("auto.create.topics.enable") is True
    assert empty.string("broker.rack") == ""
    assert empty.words("listeners") == ("PLAINTEXT://localhost:9092",)
    assert (empty.data_dir, empty.node_id, empty.warnings) == ("./fleuve-data", None, ())
    assert empty.source("num.partitions") is Source.DEFAULT


def test_flags_come_before_the_environment_before_the_file(file):
    config = file("num.partitions=2\nfetch.max.bytes=2048\nmessage.max.bytes=99")
    environment = {"KAFKA_NUM_PARTITIONS": "3", "KAFKA_FETCH_MAX_BYTES": "4096"}
    mixed = settings(("num.partitions", "4"), environment=environment, config=config)
    names = ("num.partitions", "fetch.max.bytes", "message.max.bytes", "group.max.size")
    assert [mixed.integer(name) for name in names] == [4, 4096, 99, 2147483647]
    assert [mixed.source(name) for name in names] == [Source.FLAG, Source.ENVIRONMENT, Source.FILE, Source.DEFAULT]
    assert mixed.where("message.max.bytes") == f"{config}:3"


def test_the_last_of_two_counts_in_a_file_and_among_flags(file):
    assert settings(config=file("num.partitions=2\nnum.partitions=3")).integer("num.partitions") == 3
    assert settings(("num.partitions", "2"), ("num.partitions", "3")).integer("num.partitions") == 3


def test_a_flag_of_its_own_and_set_do_not_contradict_each_other():
    assert "twice" in refusal(("listeners", "PLAINTEXT://a:1"), flags={"listeners": "PLAINTEXT://b:1"})


def test_settings_are_a_mapping_of_what_was_given():
    given = settings(("num.partitions", " 4 "))
    assert dict(given) == {"num.partitions": " 4 "}
    assert given.integer("num.partitions") == 4
    with pytest.raises(KeyError):
        given.value("no.such.setting")


def test_what_the_broker_found_out_is_shown_beside_what_was_given():
    shown = settings(("num.partitions", "4"), ("listeners", "PLAINTEXT://localhost:0")).in_force(
        node_id=1, listeners=["PLAINTEXT://localhost:4711"], advertised=["PLAINTEXT://me:4711"], data_dir="/data"
    )
    assert shown == {
        "num.partitions": "4",
        "node.id": "1",
        "broker.id": "1",
        "listeners": "PLAINTEXT://localhost:4711",
        "advertised.listeners": "PLAINTEXT://me:4711",
        "log.dirs": "/data",
    }


# ---------------------------------------------------------------- the environment


def test_of_two_variables_for_a_setting_kafkas_own_counts():
    environment = {"KAFKA_NUM_PARTITIONS": "3", "KAFKA_CFG_NUM_PARTITIONS": "4"}
    assert settings(environment=environment).integer("num.partitions") == 3


def test_what_is_about_zookeeper_or_confluents_server_is_a_warning_in_the_environment_alone(file):
    environment = {"KAFKA_ZOOKEEPER_CONNECT": "zookeeper:2181", "KAFKA_CONFLUENT_SUPPORT_METRICS_ENABLE": "false"}
    mixed = settings(environment=environment)
    assert mixed.warnings == (
        "zookeeper.connect has no effect: there is no ZooKeeper",
        "confluent.support.metrics.enable has no effect: it belongs to Confluent's server",
    )
    assert dict(mixed) == {}
    assert "Apache Kafka 4 has it no more" in refusal(config=file("zookeeper.connect=zookeeper:2181"))


@pytest.mark.parametrize(
    ("variable", "name"),
    [
        ("KAFKA_NUM_PARTITIONS", "num.partitions"),
        ("KAFKA_CFG_NUM_PARTITIONS", "num.partitions"),
        ("KAFKA_A__B", "a_b"),
        ("KAFKA_A___B", "a-b"),
        ("KAFKA_LISTENER_NAME_CONTROLLER_SSL_KEY_PASSWORD", "listener.name.controller.ssl.key.password"),
        ("KAFKA_FLEUVE_TAIL_CACHE_BYTES", "fleuve.tail.cache.bytes"),
    ],
)
def test_variables_are_named_as_apaches_image_names_them(variable, name):
    assert environment_name(variable) == name


@pytest.mark.parametrize(
    "variable",
    [
        "PATH",
        "KAFKAESQUE",
        "KAFKA_HEAP_OPTS",
        "KAFKA_JMX_PORT",
        "KAFKA_BOOTSTRAP_SERVERS",
        "KAFKA_SERVICE_HOST",
        "KAFKA_SERVICE_PORT_CLIENTS",
        "KAFKA_PORT",
        "KAFKA_PORT_9092_TCP_ADDR",
        "KAFKA_HEADLESS_SERVICE_HOST",
        "KAFKA_HEADLESS_PORT_9092_TCP",
    ],
)
def test_variables_that_are_for_others_are_ignored(variable):
    assert dict(settings(environment={variable: "tcp://10.0.0.1:9092"})) == {}


def test_the_process_environment_is_read_if_none_is_given(monkeypatch):
    monkeypatch.setenv("KAFKA_NUM_PARTITIONS", "7")
    assert read(registry()).integer("num.partitions") == 7


# ---------------------------------------------------------------- one-line errors


def test_an_unknown_setting_names_its_place_and_the_nearest_name(file):
    assert refusal(("num.partitons", "1")) == "--set: there is no setting num.partitons; did you mean num.partitions?"
    assert refusal(environment={"KAFKA_NUM_PARTITONS": "1"}).startswith("environment variable KAFKA_NUM_PARTITONS: ")
    config = file("\nzookeeper.connect=localhost:2181")
    assert refusal(config=config) == (
        f"{config}:2: there is no setting zookeeper.connect; Apache Kafka 4 has it no more; remove it"
    )


def test_a_topics_setting_names_its_default_for_all_topics():
    assert "its default for all topics is log.retention.ms" in refusal(("retention.ms", "1"))


def test_a_bad_value_says_what_is_allowed():
    assert refusal(("num.partitions", "0")) == (
        "--set: Invalid value 0 for configuration num.partitions: Value must be at least 1"
    )


@pytest.mark.parametrize(
    ("name", "text", "part"),
    [
        ("ssl.keystore.location", "/etc/kafka/a.jks", "TLS is not supported"),
        ("sasl.enabled.mechanisms", "PLAIN", "logins are not supported"),
        ("authorizer.class.name", "org.example.A", "authorizers are not supported"),
        ("super.users", "User:me", "authorizers are not supported"),
        ("create.topic.policy.class.name", "org.example.A", "cannot run Java classes"),
        ("remote.log.storage.system.enable", "true", "no tiered storage"),
        ("security.inter.broker.protocol", "SSL", "TLS is not supported"),
        ("transaction.two.phase.commit.enable", "true", "no transactions"),
        ("listener.name.a.ssl.key.password", "x", "TLS is not supported"),
    ],
)
def test_what_would_break_a_promise_is_refused_with_its_reason(name, text, part):
    assert part in refusal((name, text))


def test_a_refused_setting_may_have_its_default():
    for row in registry().of(Scope.BROKER):
        if row.status is Status.REFUSED and row.default is not None:
            settings((row.name, row.default))


def test_what_has_no_effect_is_a_warning_each():
    warned = settings(("num.io.threads", "4"), ("min.insync.replicas", "2"), ("num.partitions", "2")).warnings
    assert [warning.partition(" ")[0] for warning in warned] == ["num.io.threads", "min.insync.replicas"]
    assert all("has no effect: " in warning for warning in warned)


def test_a_single_listeners_setting_has_no_effect():
    (warning,) = settings(("listener.name.plaintext.max.connections", "5")).warnings
    assert "set max.connections for all of them" in warning


def test_a_file_that_cannot_be_read_or_parsed_is_named(tmp_path, file):
    assert "cannot be read (No such file or directory)" in refusal(config=tmp_path / "missing")
    assert "line 1" in refusal(config=file("a=\\u12"))


def test_a_file_in_javas_old_encoding_is_read(file):
    assert settings(config=file("broker.rack=é", "latin-1")).string("broker.rack") == "é"
    assert settings(config=file("broker.rack=é")).string("broker.rack") == "é"


# ---------------------------------------------------------------- settings that belong together


def test_the_data_directory_has_three_names():
    assert settings(("log.dir", "/a")).data_dir == "/a"
    assert settings(("log.dir", "/a"), ("log.dirs", "/b")).data_dir == "/b"
    assert settings(("log.dirs", "/b"), flags={"fleuve.data.dir": "/c"}).data_dir == "/c"
    assert "give one" in refusal(("log.dirs", "/a,/b"))
    assert "name the data directory" in refusal(("log.dir", ""))


def test_the_node_id_has_two_names():
    assert settings(("broker.id", "3")).node_id == 3
    assert settings(("node.id", "0"), ("broker.id", "0")).node_id == 0
    assert "differs from node.id" in refusal(("node.id", "1"), ("broker.id", "2"))


def test_controller_listeners_of_a_combined_server_are_left_out():
    both = settings(
        ("process.roles", "broker,controller"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.listener.names", "CONTROLLER"),
    )
    assert both.listeners == ("PLAINTEXT://:9092",)


def test_a_combined_kafka_server_starts_with_its_own_file(file):
    # What the file that Apache Kafka brings along sets, for one process that is broker and controller.
    config = file(
        """
        process.roles=broker,controller
        node.id=1
        controller.quorum.bootstrap.servers=localhost:9093
        listeners=PLAINTEXT://:9092,CONTROLLER://:9093
        inter.broker.listener.name=PLAINTEXT
        advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
        controller.listener.names=CONTROLLER
        listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL
        num.network.threads=3
        num.io.threads=8
        socket.send.buffer.bytes=102400
        socket.receive.buffer.bytes=102400
        socket.request.max.bytes=104857600
        log.dirs=/tmp/kraft-combined-logs
        num.partitions=1
        num.recovery.threads.per.data.dir=2
        offsets.topic.replication.factor=1
        share.coordinator.state.topic.replication.factor=1
        share.coordinator.state.topic.min.isr=1
        transaction.state.log.replication.factor=1
        transaction.state.log.min.isr=1
        log.retention.hours=168
        log.segment.bytes=1073741824
        log.retention.check.interval.ms=300000
        """
    )
    started = settings(config=config)
    assert started.listeners == ("PLAINTEXT://:9092",)
    assert started.advertised_listeners == ("PLAINTEXT://localhost:9092",)
    assert (started.node_id, started.data_dir) == (1, "/tmp/kraft-combined-logs")
    assert "num.io.threads has no effect: one event loop serves all connections." in started.warnings


def test_the_variables_of_a_container_of_kafka_start_a_broker():
    environment = {
        "PATH": "/usr/bin",
        "CLUSTER_ID": "x",
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
        "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:9092",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_NUM_PARTITIONS": "3",
        "KAFKA_HEAP_OPTS": "-Xmx1g",
    }
    started = settings(environment=environment)
    assert started.integer("group.initial.rebalance.delay.ms") == 0
    assert started.listeners == ("PLAINTEXT://localhost:9092",)


def test_a_listener_that_is_not_plaintext_is_refused():
    assert "TLS listeners and logins are not supported" in refusal(("listeners", "SSL://:9093"))
    mapped = refusal(("listeners", "OUT://:1"), ("listener.security.protocol.map", "OUT:SASL_SSL"))
    assert "listener OUT is SASL_SSL" in mapped


def test_a_named_listener_needs_a_protocol_unless_its_flag_named_it():
    assert "add OUT:PLAINTEXT to listener.security.protocol.map" in refusal(("listeners", "OUT://:1"))
    assert settings(("listeners", "OUT://:1"), ("listener.security.protocol.map", "OUT:PLAINTEXT")).listeners
    assert settings(flags={"listeners": "OUT://:1"}).listeners == ("OUT://:1",)
    with pytest.raises(SettingsError, match="--listen: listener SSL is SSL: TLS listeners"):
        settings(flags={"listeners": "SSL://:1"})


@pytest.mark.parametrize(
    "assignments",
    [
        [("log.retention.ms", "0")],
        [("log.retention.hours", "0")],
        [("group.min.session.timeout.ms", "9"), ("group.max.session.timeout.ms", "8")],
        [("socket.send.buffer.bytes", "0")],
        [("socket.receive.buffer.bytes", "-2")],
        [("queued.max.request.bytes", "1024")],
        [("listeners", "localhost:9092")],
        [("listener.security.protocol.map", "PLAINTEXT")],
        [("max.connections.per.ip.overrides", "127.0.0.1")],
    ],
)
def test_what_kafka_refuses_at_start_is_refused(assignments):
    refusal(*assignments)


def test_every_setting_may_be_given_its_default_with_at_most_one_warning():
    for row in registry().of(Scope.BROKER):
        if row.default is not None and row.status is not Status.REFUSED:
            assert len(settings((row.name, row.default)).warnings) == (row.status is Status.ACCEPTED)
