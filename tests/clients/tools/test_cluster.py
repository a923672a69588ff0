"""kafka-broker-api-versions and kafka-cluster."""

from __future__ import annotations

import re

TOOLS = "kafka-broker-api-versions, kafka-cluster"


def test_a_broker_tells_its_api_versions(tools, bootstrap):
    printed = tools("broker-api-versions")

    assert printed.lines[0] == f"{bootstrap} (id: 1 rack: null isFenced: false) -> ("
    usable = dict(re.findall(r"^\t(\w+)\(\d+\): (.+?) \[usable: \d+\],?$", printed.out, re.MULTILINE))
    assert usable.items() >= {"Fetch": "4 to 18", "Metadata": "0 to 13", "JoinGroup": "0 to 9"}.items()
    # Old clients see no compression otherwise.
    assert usable["Produce"] == "0 to 13"


def test_a_cluster_has_an_id(tools):
    (line,) = tools("cluster", "cluster-id").lines

    assert re.fullmatch(r"Cluster ID: [\w-]{22}", line)


def test_a_cluster_lists_its_brokers(tools, bootstrap):
    host, port = bootstrap.split(":")
    broker = {"ID": "1", "HOST": host, "PORT": port, "RACK": "null", "STATE": "unfenced", "ENDPOINT_TYPE": "broker"}

    assert tools("cluster", "list-endpoints").rows == [broker]
    assert tools("cluster", "list-endpoints", "--include-fenced-brokers").rows == [broker]


def test_unregistering_brokers_is_refused_in_plain_words(tools, fleuve_only):
    said = tools("cluster", "unregister", "--id", 7)

    assert said.lines == ["The target cluster does not support the broker unregistration API."]
