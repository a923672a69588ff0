"""What is advertised is what Kafka 4.3 advertises, what is advertised is served, and nothing else is."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

import pytest

from fleuve.wire.apis import APIS
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import api_versions
from fleuve.wire.generated.api_versions import ApiVersionsRequest
from fleuve.wire.header import decode_response_header, response_is_flexible
from support.kio_messages import converted, kio_class, kio_parsed
from support.wire_client import Client

with warnings.catch_warnings():
    # kafka-python reads its schemas by a function that the standard library calls deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    from kafka.protocol.broker_version_data import BrokerVersionData

ADVERTISED = {
    "Produce": (0, 13),
    "Fetch": (4, 18),
    "ListOffsets": (1, 11),
    "Metadata": (0, 13),
    "OffsetCommit": (2, 10),
    "OffsetFetch": (1, 10),
    "FindCoordinator": (0, 6),
    "JoinGroup": (0, 9),
    "Heartbeat": (0, 4),
    "LeaveGroup": (0, 5),
    "SyncGroup": (0, 5),
    "DescribeGroups": (0, 6),
    "ListGroups": (0, 5),
    "ApiVersions": (0, 4),
    "CreateTopics": (2, 7),
    "DeleteTopics": (1, 6),
    "DeleteRecords": (0, 2),
    "InitProducerId": (0, 5),
    "OffsetForLeaderEpoch": (2, 4),
    "DescribeConfigs": (1, 4),
    "AlterConfigs": (0, 2),
    "DescribeLogDirs": (1, 5),
    "CreatePartitions": (0, 3),
    "DeleteGroups": (0, 2),
    "IncrementalAlterConfigs": (0, 1),
    "OffsetDelete": (0, 0),
    "DescribeCluster": (0, 2),
    "ListConfigResources": (0, 1),
    "DescribeTopicPartitions": (0, 0),
}
"""What a running Apache Kafka 4.3.0 says of the APIs that exist here."""

NOT_SERVED = {"Produce": range(3)}
"""Advertised all the same, see `fleuve.kafka.handlers.produce`."""

SERVED = [
    pytest.param(api, version, id=f"{api.name}-v{version}")
    for api in APIS.values()
    for version in range(ADVERTISED[api.name][0], ADVERTISED[api.name][1] + 1)
    if version not in NOT_SERVED.get(api.name, ())
]
NOT_ADVERTISED_KEYS = [4, 5, 6, 7, 17, 24, 25, 26, 27, 28, 29, 36, 43, 45, 48, 55, 68, 71, 76, 88, 93, 1000, -1, 32767]
NOT_ADVERTISED_VERSIONS = [
    pytest.param(api, version, id=f"{api.name}-v{version}")
    for api in APIS.values()
    if api.name != "ApiVersions"
    for version in (-1, ADVERTISED[api.name][0] - 1, ADVERTISED[api.name][1] + 1)
]

MINIMAL: dict[str, dict[str, Any]] = {
    "ApiVersions": {"client_software_name": "test", "client_software_version": "1"},
    "DescribeLogDirs": {"topics": []},
    "FindCoordinator": {"key": "group", "coordinator_keys": ["group"]},
    "Produce": {"acks": -1},
    "OffsetForLeaderEpoch": {"replica_id": -1},
    "ListOffsets": {"replica_id": -1},
    "InitProducerId": {"transactional_id": None},
    "LeaveGroup": {"group_id": "no-group"},
    "SyncGroup": {"protocol_type": "consumer", "protocol_name": "range"},
}
"""What a request must say beside its defaults to be well-formed."""


def codec_of(api):
    return importlib.import_module(f"fleuve.wire.generated.{api.module}")


def raw_frame(key: int, version: int, body: bytes = b"") -> bytes:
    """Return a request whose header is not flexible."""
    message = key.to_bytes(2, "big", signed=True) + version.to_bytes(2, "big", signed=True)
    message += (7).to_bytes(4, "big") + b"\x00\x04test" + body
    return len(message).to_bytes(4, "big") + message


def advertised(client: Client) -> dict[int, tuple[int, int]]:
    response = client.call(api_versions, ApiVersionsRequest(**MINIMAL["ApiVersions"]), 4)
    assert response.error_code == 0
    return {api.api_key: (api.min_version, api.max_version) for api in response.api_keys}


def is_closed(client: Client) -> bool:
    with pytest.raises(OSError):  # closed or reset
        client.receive_bytes()
    return True


def test_the_advertised_ranges_are_those_of_kafka(client):
    found = advertised(client)
    assert {api.name: found[key] for key, api in APIS.items()} == ADVERTISED


def test_only_apis_that_exist_are_advertised(client, fleuve):
    assert sorted(advertised(client)) == sorted(APIS)


@pytest.mark.parametrize("version", range(5))
def test_each_version_of_api_versions_says_the_same(client, version):
    response = client.call(api_versions, ApiVersionsRequest(**MINIMAL["ApiVersions"]), version)
    assert {api.api_key: (api.min_version, api.max_version) for api in response.api_keys} == advertised(client)


def test_no_feature_is_finalized_while_its_apis_do_not_exist(client, fleuve):
    response = client.call(api_versions, ApiVersionsRequest(**MINIMAL["ApiVersions"]), 4)
    assert (response.supported_features, response.finalized_features) == ([], [])


def test_kafka_python_takes_the_broker_for_the_release_that_it_follows(client):
    assert BrokerVersionData(api_versions=advertised(client)).broker_version == (4, 3)


@pytest.mark.parametrize(("api", "version"), SERVED)
def test_every_advertised_version_is_answered_as_kio_reads_it_and_the_connection_stays(client, api, version):
    codec = codec_of(api)
    request = getattr(codec, f"{api.name}Request")(**MINIMAL.get(api.name, {}))
    client.send(client.frame(codec, request, version), client.frame(api_versions, ApiVersionsRequest(), 0))
    view = memoryview(client.receive_bytes())
    correlation_id, position = decode_response_header(view, response_is_flexible(api.key, version))
    assert correlation_id == 1
    response = codec.decode_response(view, position, version)
    body = bytes(view[position:])
    assert codec.encode_response(response, version) == body
    assert converted(kio_parsed(kio_class(api.module, version, "response"), body), codec) == response
    assert getattr(response, "error_code", 0) != ErrorCode.UNKNOWN_SERVER_ERROR
    assert client.receive(api_versions, 0)[1].error_code == 0


@pytest.mark.parametrize("key", NOT_ADVERTISED_KEYS)
def test_an_api_that_is_not_advertised_closes_the_connection(client, fleuve, key):
    client.send(raw_frame(key, 0, bytes(40)))
    assert is_closed(client)


@pytest.mark.parametrize(("api", "version"), NOT_ADVERTISED_VERSIONS)
def test_a_version_that_is_not_advertised_closes_the_connection(client, api, version):
    client.send(raw_frame(api.key, version, bytes(40)))
    assert is_closed(client)


@pytest.mark.parametrize("version", NOT_SERVED["Produce"])
def test_versions_that_are_advertised_for_librdkafkas_sake_close_the_connection(client, version):
    client.send(raw_frame(0, version, bytes(40)))
    assert is_closed(client)
