"""OffsetForLeaderEpoch: where an epoch ends."""

from __future__ import annotations

from conformance.requests import append, deleted_up_to, numbered
from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import delete_records, produce
from fleuve.wire.generated import offset_for_leader_epoch as api
from support.batches import batch
from support.wire_client import produce_request


def asked(topic: str, *partitions: tuple[int, int, int]) -> api.OffsetForLeaderEpochRequest:
    """Ask for (partition, current epoch, epoch)."""
    return api.OffsetForLeaderEpochRequest(
        replica_id=-1,
        topics=[
            api.OffsetForLeaderTopic(
                topic=topic,
                partitions=[
                    api.OffsetForLeaderPartition(partition=partition, current_leader_epoch=current, leader_epoch=epoch)
                    for partition, current, epoch in partitions
                ],
            )
        ],
    )


@case
def the_end_of_an_epoch(kafka: Kafka) -> None:
    """Epochs known, older and newer, of an empty partition and of one with records; wrong current epochs."""
    topic = kafka.topic(2)
    a = kafka.connect()
    a.call(produce, produce_request(topic.name, 0, batch(b"a", b"b")), 9)
    for version in versions(api):
        for partition in 0, 1:
            for current in -1, 0, 1:
                for epoch in -1, 0, 1, 7:
                    a.call(api, asked(topic.name, (partition, current, epoch)), version)


@case
def unknown_partitions(kafka: Kafka) -> None:
    """A partition, and a topic, that is not there, beside one that is."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in versions(api):
        a.call(api, asked(topic.name, (0, -1, 0), (1, -1, 0), (-1, -1, 0)), version)
        a.call(api, asked(kafka.name("other"), (0, -1, 0)), version)
        a.call(api, asked("", (0, -1, 0)), version)
        a.call(api, api.OffsetForLeaderEpochRequest(replica_id=-1), version)


@case
def epochs_that_cannot_be(kafka: Kafka) -> None:
    """Epochs below −1."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in versions(api):
        for epoch in -2, -100:
            a.call(api, asked(topic.name, (0, -1, epoch)), version)


@case
def after_records_were_deleted(kafka: Kafka) -> None:
    """The end of an epoch whose records are gone; replicas that ask; a partition twice."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 3))
    a.call(delete_records, deleted_up_to(topic, {0: 3}), 2)
    for version in versions(api):
        a.call(api, asked(topic.name, (0, 0, 0)), version)
        a.call(api, asked(topic.name, (0, -1, 0), (0, -1, 1)), version)
        for replica in -2, 1, 7:
            request = asked(topic.name, (0, -1, 0))
            request.replica_id = replica
            a.call(api, request, version)
