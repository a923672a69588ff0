"""InitProducerId: ids for idempotent producers."""

from __future__ import annotations

from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import init_producer_id as api


def asked(
    transactional_id: str | None, producer_id: int = -1, epoch: int = -1, timeout_ms: int = 60_000
) -> api.InitProducerIdRequest:
    """Ask for a producer id."""
    return api.InitProducerIdRequest(
        transactional_id=transactional_id,
        transaction_timeout_ms=timeout_ms,
        producer_id=producer_id,
        producer_epoch=epoch,
    )


@case
def ids_of_their_own(kafka: Kafka) -> None:
    """Every request gets another id, whatever it says of times."""
    a = kafka.connect()
    for version in versions(api):
        for timeout_ms in 60_000, 0, -1, 2**31 - 1:
            a.call(api, asked(None, timeout_ms=timeout_ms), version)


@case
def ids_that_are_known_already(kafka: Kafka) -> None:
    """A producer id and an epoch in the request: both, one of them, wrong ones."""
    a = kafka.connect()
    for version in range(3, 6):
        mine = a.call(api, asked(None), version).producer_id
        for producer_id, epoch in (
            (mine, 0),
            (mine, 1),
            (mine, -1),
            (-1, 0),
            (999_999, 5),
            (mine, 32767),
            (-2, -2),
            (-2, 0),
        ):
            a.call(api, asked(None, producer_id, epoch), version)


@case
def transactional_ids(kafka: Kafka) -> None:
    """An empty transactional id, and one."""
    a = kafka.connect()
    for version in versions(api):
        a.call(api, asked(""), version)


@case
def a_transaction(kafka: Kafka) -> None:
    """A transactional id."""
    a = kafka.connect()
    for version in versions(api):
        a.call(api, asked(kafka.name("id"), timeout_ms=0), version)
        a.call(api, asked(kafka.name("id")), version)
