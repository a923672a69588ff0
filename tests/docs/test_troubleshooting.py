"""What clients in Python and the broker print for the usual mistakes is what the page about them quotes."""

import subprocess
import sys

import pytest

from fleuve.cli.main import main
from support.broker_process import BrokerProcess
from support.pages import DOCS
from support.ports import quiet_port

PAGE = " ".join((DOCS / "troubleshooting.md").read_text().split())
TIMEOUT_S = 50

# All programs of a client run in one process, each in its thread: what they print is looked at as a whole.
TOGETHER = """
import logging, sys, threading, traceback

logging.basicConfig()

def run(program):
    try:
        exec(program, {})
    except BaseException:
        traceback.print_exc()

threads = [threading.Thread(target=run, args=(program,)) for program in sys.argv[1:]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""

CONFLUENT = """
from confluent_kafka import Producer
producer = Producer({"bootstrap.servers": "%s", "message.timeout.ms": 1500, "message.max.bytes": 10000000, **%s})
producer.produce("%s", %s, on_delivery=lambda error, message: print(repr(error)))
producer.flush(30)
"""
CONFLUENT_ADMIN = """
from confluent_kafka.admin import AdminClient, NewTopic
admin = AdminClient({"bootstrap.servers": "BROKER"})
admin.create_topics([NewTopic("%s", 1, %s, config=%s)])["%s"].result()
"""
CONFLUENT_CONSUMER = """
from confluent_kafka import Consumer, TopicPartition
consumer = Consumer({"bootstrap.servers": "BROKER", "group.id": "%s", "auto.offset.reset": "error"})
consumer.%s
print(consumer.poll(10).error())
consumer.close()
"""
CONFLUENT_TRANSACTION = """
from confluent_kafka import Producer
Producer({"bootstrap.servers": "BROKER", "transactional.id": "x"}).init_transactions(10)
"""
AIOKAFKA = """
import asyncio
from aiokafka import AIOKafkaProducer
async def main():
    async with AIOKafkaProducer(bootstrap_servers="%s", request_timeout_ms=1000, **%s) as producer:
        await producer.send_and_wait("%s", %s)
asyncio.run(main())
"""
KAFKA_PYTHON = """
from kafka import KafkaProducer
short = dict(bootstrap_timeout_ms=1500, max_block_ms=1500, request_timeout_ms=1000, delivery_timeout_ms=2000)
KafkaProducer(bootstrap_servers="%s", **{**short, **%s}).send("%s", %s).get(30)
"""

VALUE = 'b"v"'
BIG = 'b"x" * 2_000_000, b"k"'
LATE = 'b"v", b"k", timestamp=4102444800000'
PATIENT = {
    "max_request_size": 10_000_000,
    "request_timeout_ms": 20_000,
    "delivery_timeout_ms": 30_000,
    "max_block_ms": 20_000,
}
TLS = {"security.protocol": "SSL"}
SASL = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": "p"}
SASL_PLAIN = {"sasl_mechanism": "PLAIN", "sasl_plain_username": "u", "sasl_plain_password": "p"}
SASL_IN_PYTHON = {"security_protocol": "SASL_PLAINTEXT", **SASL_PLAIN}

PROGRAMS = {
    "confluent-kafka": [
        CONFLUENT % ("NOBODY", {}, "t", VALUE),
        CONFLUENT % ("HTTP", {}, "t", VALUE),
        CONFLUENT % ("UNREACHABLE", {}, "t", VALUE),
        CONFLUENT % ("BROKER", TLS, "t", VALUE),
        CONFLUENT % ("BROKER", SASL, "t", VALUE),
        CONFLUENT % ("BROKER", {}, "a b", VALUE),
        CONFLUENT % ("BROKER", {}, "compact", VALUE),
        CONFLUENT % ("BROKER", {"message.timeout.ms": 30000}, "compact", BIG),
        CONFLUENT % ("BROKER", {}, "compact", LATE),
        CONFLUENT_ADMIN % ("compact", 1, {}, "compact"),
        CONFLUENT_ADMIN % ("three", 3, {}, "three"),
        CONFLUENT_ADMIN % ("misspelt", 1, {"retention": "1"}, "misspelt"),
        CONFLUENT_CONSUMER % ("far", 'assign([TopicPartition("compact", 0, 100)])'),
        CONFLUENT_CONSUMER % ("new", 'assign([TopicPartition("compact", 0)])'),
        CONFLUENT_CONSUMER % ("unknown", 'subscribe(["orders"])'),
        CONFLUENT_TRANSACTION,
    ],
    "aiokafka": [
        AIOKAFKA % ("NOBODY", {}, "t", VALUE),
        AIOKAFKA % ("HTTP", {}, "t", VALUE),
        AIOKAFKA % ("UNREACHABLE", {}, "t", VALUE),
        AIOKAFKA % ("BROKER", SASL_IN_PYTHON, "t", VALUE),
        AIOKAFKA % ("BROKER", {}, "orders", VALUE),
        AIOKAFKA % ("BROKER", {}, "a b", VALUE),
        AIOKAFKA % ("BROKER", {}, "compact", VALUE),
        AIOKAFKA % ("BROKER", {}, "compact", BIG),
        AIOKAFKA % ("BROKER", {"transactional_id": "orders"}, "t", VALUE),
    ],
    "kafka-python": [
        KAFKA_PYTHON % ("NOBODY", {}, "t", VALUE),
        KAFKA_PYTHON % ("UNREACHABLE", {}, "t", VALUE),
        KAFKA_PYTHON % ("BROKER", {"security_protocol": "SSL"}, "t", VALUE),
        KAFKA_PYTHON % ("BROKER", SASL_IN_PYTHON, "t", VALUE),
        KAFKA_PYTHON % ("BROKER", {}, "a b", VALUE),
        KAFKA_PYTHON % ("BROKER", {}, "compact", VALUE),
        KAFKA_PYTHON % ("BROKER", PATIENT, "compact", BIG),
    ],
}

MESSAGES = {
    "confluent-kafka": [
        "failed: Connection refused",
        'KafkaError{code=_MSG_TIMED_OUT,val=-192,str="Local: Message timed out"}',
        "Receive failed: Invalid response size 1213486160 (0..100000000): increase receive.message.max.bytes",
        "Failed to resolve 'broker.invalid:9092': Name or service not known",
        "Disconnected: SSL connection closed by peer: connecting to a PLAINTEXT broker listener?",
        "SASL Handshake not supported by broker (required by mechanism PLAIN)",
        'KafkaError{code=TOPIC_EXCEPTION,val=17,str="Broker: Invalid topic"}',
        'KafkaError{code=INVALID_RECORD,val=87,str="Broker: Broker failed to validate record"}',
        'KafkaError{code=MSG_SIZE_TOO_LARGE,val=10,str="Broker: Message size too large"}',
        'KafkaError{code=INVALID_TIMESTAMP,val=32,str="Broker: Invalid timestamp"}',
        "KafkaError{code=TOPIC_ALREADY_EXISTS,val=36,",
        "The target replication factor of 3 cannot be reached because only 1 broker(s) are registered.",
        'KafkaError{code=INVALID_CONFIG,val=40,str="Unknown topic config name: retention"}',
        "fetch failed due to requested offset not available on the broker: Broker: Offset out of range (broker 1)",
        "no previously committed offset available: Local: No offset stored",
        "Subscribed topic not available: orders: Broker: Unknown topic or partition",
        "Failed to acquire transactional PID from broker TxnCoordinator/1: Broker: Transactional Id authorization",
    ],
    "aiokafka": [
        "KafkaConnectionError: Unable to bootstrap from [('",
        "Unable connect to node with id 1: [Errno -2] Name or service not known",
        "IncompatibleBrokerVersion: SaslHandShakeRequest cannot be used if the API version is unknown",
        "Topic orders not found in cluster metadata",
        "[Error 3] UnknownTopicOrPartitionError",
        "'a b' is not a valid topic name",
        "aiokafka.errors.UnknownError: [Error -1] UnknownError",
        "bytes when serialized which is larger than the maximum request size you have configured with the",
        "[Error 53] TransactionalIdAuthorizationFailed: orders",
    ],
    "kafka-python": [
        "KafkaTimeoutError: Unable to bootstrap from",
        "DNS lookup failed for broker.invalid:9092, gaierror(-2, 'Name or service not known')",
        "EOF occurred in violation of protocol",
        "Kafka broker does not support the 'SaslHandshakeRequest' Kafka protocol.",
        'Topic name "a b" is illegal, it contains a character other than ASCII alphanumerics',
        "1 records of the batch have no key, which a compacted topic cannot accept",
        "max.message.bytes of the topic is 1048588",
    ],
    "the broker's log": [
        "connection closed: not a request that this broker serves",
        "Invalid HTTP request received",
    ],
}


def start(programs, places):
    """Start programs of one client, the real addresses filled in."""
    for name, address in places.items():
        programs = [program.replace(f'"{name}"', f'"{address}"') for program in programs]
    command = [sys.executable, "-c", TOGETHER, *programs]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """Run all programs; return what each client, and the broker, printed."""
    http, outside = f"127.0.0.1:{quiet_port()}", f"127.0.0.1:{quiet_port()}"
    settings = {"auto.create.topics.enable": "false", "fleuve.replication.factor.strict": "true"}
    arguments = ["--listen", f"OUTSIDE={outside}@broker.invalid:9092"]
    with BrokerProcess(tmp_path_factory.mktemp("broker"), settings=settings, http=http, arguments=arguments) as broker:
        places = {"NOBODY": "127.0.0.1:1", "HTTP": http, "UNREACHABLE": outside, "BROKER": broker.bootstrap}
        compact = CONFLUENT_ADMIN % ("compact", 1, {"cleanup.policy": "compact"}, "compact")
        start([compact], places).communicate(timeout=TIMEOUT_S)
        running = {client: start(programs, places) for client, programs in PROGRAMS.items()}
        outputs = {client: process.communicate(timeout=TIMEOUT_S)[0] for client, process in running.items()}
        return {**outputs, "the broker's log": broker.stderr}


@pytest.mark.parametrize(("client", "message"), [(client, one) for client in MESSAGES for one in MESSAGES[client]])
def test_what_is_printed_is_on_the_page(printed, client, message):
    assert message in printed[client]
    assert message in PAGE


def test_what_commands_say_where_nobody_listens_is_on_the_page(capsys):
    assert main(["info", "-b", "localhost:1"]) == 1
    assert capsys.readouterr().err.strip().replace("localhost:1 ", "localhost:9092 ") in PAGE


@pytest.mark.parametrize(
    ("arguments", "environment"),
    [
        (["--set", "num.partition=3"], {}),
        ([], {"KAFKA_NUM_PARTITION": "3"}),
        (["--set", "num.partitions=many"], {}),
        (["--listen", "0.0.0.0:9092"], {}),
        (["--set", "listeners=SSL://localhost:9093"], {}),
        (["--set", "authorizer.class.name=x"], {}),
    ],
)
def test_what_the_broker_refuses_is_on_the_page(arguments, environment, monkeypatch, capsys):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert main(["serve", "--ephemeral", *arguments]) == 2
    assert capsys.readouterr().err.strip() in PAGE
