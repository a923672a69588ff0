"""InitProducerId (22): v0-5

Behaviour:
* Without a transactional id: a new producer id with epoch 0, every time. A producer id and epoch in the request must
  both be there or both be missing (INVALID_REQUEST), and are not looked at otherwise, as in Kafka: an idempotent
  producer raises its epoch by itself (KIP-360), and asks for another id when it has no epoch left.
* With a transactional id: TRANSACTIONAL_ID_AUTHORIZATION_FAILED, which makes the Java client, librdkafka, aiokafka and
  kafka-python give up at once. An empty one is INVALID_REQUEST.

Versions:
* v2: flexible
* v3: producer id and epoch in the request (KIP-360)
* v4: PRODUCER_FENCED may be answered; v5: TRANSACTION_ABORTABLE; they never are

Differs from Apache Kafka: no transactions. No quota, so throttle time is always 0.
"""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.engine.access.service import Operation
from fleuve.engine.producers.service import ProducerService
from fleuve.kafka.api import Api, RequestContext
from fleuve.kafka.codes import code_of
from fleuve.wire.errors import ErrorCode
from fleuve.wire.generated import init_producer_id
from fleuve.wire.generated.init_producer_id import InitProducerIdRequest, InitProducerIdResponse

API = Api(key=22, name="InitProducerId", version_min=0, version_max=5, codec=init_producer_id)


class Handler:
    """Hands out producer ids."""

    def __init__(self, producers: ProducerService) -> None:
        self._producers = producers

    async def __call__(self, request: InitProducerIdRequest, context: RequestContext) -> InitProducerIdResponse:
        """Return a producer id and its epoch."""
        if request.transactional_id == "" or (request.producer_id == -1) != (request.producer_epoch == -1):
            return _refused(ErrorCode.INVALID_REQUEST)
        if request.transactional_id is not None:
            return _refused(ErrorCode.TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        if not context.authorize_cluster(Operation.IDEMPOTENT_WRITE):
            return _refused(ErrorCode.CLUSTER_AUTHORIZATION_FAILED)
        try:
            producer_id = await self._producers.new_producer_id()
        except FleuveError as error:
            code = code_of(error)
            # Clients take few codes for a reason to try again here; this is one.
            retriable = code is ErrorCode.KAFKA_STORAGE_ERROR
            return _refused(ErrorCode.COORDINATOR_NOT_AVAILABLE if retriable else code)
        return InitProducerIdResponse(producer_id=producer_id, producer_epoch=0)


def _refused(code: ErrorCode) -> InitProducerIdResponse:
    return InitProducerIdResponse(error_code=code, producer_id=-1, producer_epoch=-1)
