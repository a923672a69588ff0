"""DescribeCluster (60): v0-2

Behaviour:
* Names the brokers that live, by the address of the listener that the client came through, the cluster's id, and as
  controller the broker that answers: any broker takes administrative requests.
* A client that wants controllers is told that this is a broker: no address of Fleuve is a controller's.

Versions:
* v0: flexible, authorized operations of the cluster if asked for · v1: type of endpoint (KIP-919)
* v2: fenced brokers (KIP-1073); there is nothing to say of them: who is fenced never comes back

Differs from Apache Kafka: fenced brokers are not listed; throttle time is always 0.
"""

from __future__ import annotations

from fleuve.engine.access.service import CLUSTER_NAME, Operation, ResourceType
from fleuve.engine.brokers.service import BrokerService
from fleuve.kafka.addresses import reachable
from fleuve.kafka.api import Api, RequestContext
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import describe_cluster
from fleuve.wire.generated.describe_cluster import (
    DescribeClusterBroker,
    DescribeClusterRequest,
    DescribeClusterResponse,
)

API = Api(key=60, name="DescribeCluster", version_min=0, version_max=2, codec=describe_cluster)

BROKERS, CONTROLLERS = 1, 2


class Handler:
    """Answers DescribeCluster."""

    def __init__(self, brokers: BrokerService) -> None:
        self._brokers = brokers

    async def __call__(self, request: DescribeClusterRequest, context: RequestContext) -> DescribeClusterResponse:
        """Return the brokers, or why there are none to name."""
        if request.endpoint_type == CONTROLLERS:
            return DescribeClusterResponse(
                error_code=ErrorCode.MISMATCHED_ENDPOINT_TYPE,
                error_message="The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type "
                "CONTROLLER",
            )
        if request.endpoint_type != BROKERS:
            return DescribeClusterResponse(
                error_code=ErrorCode.UNSUPPORTED_ENDPOINT_TYPE,
                error_message=f"Unsupported endpoint type {request.endpoint_type}",
            )
        # Kafka asks for DESCRIBE on the cluster only for its operations; brokers are no secret to who is connected.
        response = DescribeClusterResponse(
            cluster_id=self._brokers.cluster_id,
            controller_id=self._brokers.controller_id,
            brokers=[
                DescribeClusterBroker(broker_id=broker.node_id, host=host, port=port, rack=broker.rack)
                for broker, (host, port) in reachable(self._brokers, context)
            ],
        )
        if request.include_cluster_authorized_operations:
            response.cluster_authorized_operations = (
                context.authorized_operations(ResourceType.CLUSTER, CLUSTER_NAME)
                if context.authorize_cluster(Operation.DESCRIBE)
                else 0
            )
        return response
