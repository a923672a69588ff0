"""DescribeCluster: the brokers, for those who administer them."""

from __future__ import annotations

from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import describe_cluster as api


@case
def every_version(kafka: Kafka) -> None:
    """With and without operations, with fenced brokers."""
    a = kafka.connect()
    for version in versions(api):
        for operations in False, True:
            a.call(api, api.DescribeClusterRequest(include_cluster_authorized_operations=operations), version)
    a.call(api, api.DescribeClusterRequest(include_fenced_brokers=True), 2)


@case
def other_endpoints(kafka: Kafka) -> None:
    """Controllers, and types of endpoints that there are not."""
    a = kafka.connect()
    for version in 1, 2:
        for kind in 0, 2, 3, -1:
            a.call(api, api.DescribeClusterRequest(endpoint_type=kind), version)
