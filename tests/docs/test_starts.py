"""The five-minute starts: each program, taken from its page, writes and reads what the page says."""

import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from clients import jvm
from support.broker_process import BrokerProcess
from support.pages import blocks, program

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "tests" / "clients"
TIMEOUT_S = 50
BUILD_TIMEOUT_S = 600


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory):
    quick_groups = {"KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0"}
    with BrokerProcess(tmp_path_factory.mktemp("broker"), environment=quick_groups) as broker:
        yield broker.bootstrap


def output_of(command, timeout=TIMEOUT_S, **keywords):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **keywords)
    assert done.returncode == 0, done.stderr
    return done.stdout


def later(printed):
    """Return what a program prints when it runs again: three records further."""
    return re.sub(r"offset (\d+)", lambda match: f"offset {int(match[1]) + 3}", printed)


@pytest.mark.parametrize("client", ["confluent-kafka", "aiokafka", "kafka-python"])
def test_python(bootstrap, client):
    block, printed = program("start/python.md", "python", client)
    assert output_of([sys.executable, "-c", block.at(bootstrap)]) == printed
    assert output_of([sys.executable, "-c", block.at(bootstrap)]) == later(printed)


@pytest.mark.compat
def test_java(bootstrap, tmp_path):
    block, printed = program("start/java.md", "java", "Start with Java")
    (tmp_path / "Orders.java").write_text(block.at(bootstrap))
    jars = jvm.kafka()["JARS"]
    assert output_of(["java", "-cp", f"{jars}/*", "Orders.java"], cwd=tmp_path) == printed


@pytest.mark.compat
def test_the_java_client_of_the_page_is_the_tested_one():
    versions = "".join(block.text for block in blocks("start/java.md") if block.language == "xml")
    tested = runpy.run_path(str(ROOT / "tools" / "apache_kafka.py"))["VERSION"]
    assert f"<artifactId>kafka-clients</artifactId>\n      <version>{tested}</version>" in versions


@pytest.mark.compat
@pytest.mark.parametrize("client", ["franz-go", "kafka-go"])
def test_go(bootstrap, tmp_path, client):
    block, printed = program("start/go.md", "go", client)
    (tmp_path / "main.go").write_text(block.at(bootstrap))
    output_of(["go", "build", "-o", tmp_path / "orders", tmp_path / "main.go"], cwd=CLIENTS / "go")
    assert output_of([tmp_path / "orders"]) == printed


@pytest.mark.compat
@pytest.mark.parametrize("client", ["kafkajs", "@platformatic/kafka"])
def test_nodejs(bootstrap, tmp_path, client):
    block, printed = program("start/nodejs.md", "javascript", client)
    (tmp_path / "orders.mjs").write_text(block.at(bootstrap))
    modules = CLIENTS / "node" / "node_modules"
    (tmp_path / "node_modules").symlink_to(modules)
    node = next(modules.glob("node-linux-*/bin/node"))
    assert output_of([node, "orders.mjs"], cwd=tmp_path) == printed


def test_fleuve(tmp_path, monkeypatch):
    shown = "".join(block.text for block in blocks("start/command-line.md") if block.heading == "fleuve")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    with BrokerProcess(tmp_path, settings={"group.initial.rebalance.delay.ms": 0}) as broker:
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap)
        commands = re.split(r"^\$ ", shown, flags=re.MULTILINE)[1:]
        assert len(commands) == 5
        for command, _, printed in (command.partition("\n") for command in commands):
            assert output_of(["bash", "-o", "pipefail", "-c", command]) == printed


@pytest.mark.skipif(shutil.which("kcat") is None and "CI" not in os.environ, reason="kcat is not installed")
def test_kcat(bootstrap):
    shown = "".join(block.text for block in blocks("start/command-line.md") if block.heading == "kcat")
    lines = shown.splitlines()
    commands = [line.removeprefix("$ ") for line in lines if "kcat -b" in line and " -G " not in line]
    bash = ["bash", "-o", "pipefail", "-c"]
    printed = [output_of([*bash, command.replace("localhost:9092", bootstrap)]) for command in commands]
    assert printed[:3] == ["", "0/0 ada: order 0\n0/1 bob: order 1\n0/2 ada: order 2\n", "order 2\n"]
    assert 'topic "orders-kcat" with 1 partitions' in printed[3]


@pytest.mark.compat
def test_c(bootstrap, tmp_path):
    block, printed = program("start/c.md", "c", "Start with C")
    (tmp_path / "orders.c").write_text(block.at(bootstrap))
    output_of(["gcc", "-Wall", "-Werror", "-o", "orders", "orders.c", "-lrdkafka"], cwd=tmp_path)
    assert output_of([tmp_path / "orders"]) == printed


@pytest.mark.compat
@pytest.mark.timeout(BUILD_TIMEOUT_S)
def test_rust(bootstrap, tmp_path):
    block, printed = program("start/rust.md", "rust", "Start with Rust")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.rs").write_text(block.at(bootstrap))
    dependencies = 'rdkafka = "0.39"\ntokio = { version = "1", features = ["macros", "rt-multi-thread"] }\n'
    package = '[package]\nname = "quickstart"\nedition = "2024"\n\n[profile.dev]\ndebug = false\n\n[dependencies]\n'
    (tmp_path / "Cargo.toml").write_text(package + dependencies)
    # librdkafka is built from source, once for each clone; it need not be quick.
    built = ROOT / ".compat" / "rust"
    environment = {**os.environ, "CARGO_TARGET_DIR": str(built), "CFLAGS": "-O0"}
    output_of(["cargo", "build", "--quiet"], timeout=BUILD_TIMEOUT_S, cwd=tmp_path, env=environment)
    assert output_of([built / "debug" / "quickstart"]) == printed
