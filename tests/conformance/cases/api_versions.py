"""ApiVersions: what a broker can do."""

from __future__ import annotations

from conformance.scenario import Kafka, case
from fleuve.wire.generated import api_versions as api


@case
def every_version(kafka: Kafka) -> None:
    """The table of APIs, again and again on one connection."""
    a = kafka.connect()
    for version in range(5):
        request = api.ApiVersionsRequest(client_software_name="a-client", client_software_version="1.0")
        a.call(api, request, version)


@case
def versions_that_there_are_not(kafka: Kafka) -> None:
    """Newer ones are told what there is, and may go on; a negative one, too."""
    a = kafka.connect()
    for version in 5, 99, 32767:
        a.send_bytes(api, version, bytes.fromhex("0261 0261 00"))
        a.receive()
    a.send_bytes(api, 99, b"")
    a.receive()
    a.call(api, api.ApiVersionsRequest(), 0)
    b = kafka.connect()
    b.send_bytes(api, -1, b"")
    b.receive()


@case
def names_of_software(kafka: Kafka) -> None:
    """Names and versions that look like such, and some that do not."""
    a = kafka.connect()
    for name in "a", "a-b.c", "A1", "", "-a", "a-", "a b", "ä", "a_b", "a" * 300, "a/b", ".":
        for version in 3, 4:
            a.call(api, api.ApiVersionsRequest(client_software_name=name, client_software_version="1.0"), version)
    for software in "", "1", "v1.0-rc.1", "1.0 ", "-1", "1-", "1_0", "ü", "(1)":
        a.call(api, api.ApiVersionsRequest(client_software_name="a", client_software_version=software), 3)


@case
def bodies_cut_off(kafka: Kafka) -> None:
    """A body that ends too early, and one that goes on."""
    for body in b"", b"\x02", b"\x02a\x02", b"\x02a\x02b", b"\x00\x00\x00", b"\x02a\x02b\x00\x00\x00":
        a = kafka.connect()
        a.send_bytes(api, 3, body)
        a.receive()
    for body in b"\x00", b"abc":
        a = kafka.connect()
        a.send_bytes(api, 0, body)
        a.receive()


@case
def client_ids(kafka: Kafka) -> None:
    """No client id, an empty one, a strange one."""
    for client_id in None, "", "ä\n", "x" * 300:
        kafka.connect(client_id).call(api, api.ApiVersionsRequest(), 1)
