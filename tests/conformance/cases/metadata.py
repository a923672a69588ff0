"""Metadata: topics and brokers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import find_coordinator
from fleuve.wire.generated import metadata as api

IDS = 12
"""The version from which on topics can be asked for by id."""


def asked(*names: str | None, ids: tuple[UUID, ...] = (), create: bool = False, **options: Any) -> api.MetadataRequest:
    """Ask for topics."""
    topics = [api.MetadataRequestTopic(name=name) for name in names]
    topics += [api.MetadataRequestTopic(name=None, topic_id=topic_id) for topic_id in ids]
    return api.MetadataRequest(topics=topics, allow_auto_topic_creation=create, **options)


@case
def topics_by_name(kafka: Kafka) -> None:
    """Topics that are there, one that is not, one twice, in every version."""
    first, second = kafka.topic(3), kafka.topic(1, name="u")
    a = kafka.connect()
    for version in range(4, 14):
        a.call(api, asked(first.name, second.name), version)
        a.call(api, asked(first.name, first.name), version)
        a.call(api, asked(kafka.name("other"), first.name), version)
    for version in range(4):
        a.call(api, asked(first.name, second.name), version)


@case
def all_topics_and_none(kafka: Kafka) -> None:
    """An empty list and a null one."""
    kafka.topic()
    kafka.topic(2, name="u")
    a = kafka.connect()
    for version in versions(api):
        a.call(api, asked(), version)
        if version:
            a.call(api, api.MetadataRequest(topics=None, allow_auto_topic_creation=False), version)


@case
def topics_by_id(kafka: Kafka) -> None:
    """Ids that are there, that are not, null, and beside a name."""
    first, second = kafka.topic(2), kafka.topic(1, name="u")
    a = kafka.connect()
    for version in range(IDS, 14):
        a.call(api, asked(ids=(first.id, second.id)), version)
        a.call(api, asked(ids=(first.id, first.id)), version)
        a.call(api, asked(ids=(UUID(int=77), first.id)), version)
        both = api.MetadataRequestTopic(name=second.name, topic_id=first.id)
        a.call(api, api.MetadataRequest(topics=[both], allow_auto_topic_creation=False), version)
        a.call(api, asked(second.name, ids=(first.id,)), version)


@case
def ids_before_their_version(kafka: Kafka) -> None:
    """An id in versions 10 and 11."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in 10, 11:
        a.call(api, asked(ids=(topic.id,)), version)


@case
def neither_name_nor_id(kafka: Kafka) -> None:
    """A topic that is not named."""
    a = kafka.connect()
    for version in 10, 12, 13:
        a.call(api, asked(None), version)


@case
def names_that_cannot_be(kafka: Kafka) -> None:
    """Illegal names, to be created and not."""
    a = kafka.connect()
    for version in versions(api):
        for name in "", ".", "..", "a b", "a/b", "ä", "x" * 250:
            if version < 4:
                a.call(api, asked(name), version)
            else:
                a.call(api, asked(name, create=False), version)
                a.call(api, asked(name, create=True), version)


@case
def the_first_metadata_creates(kafka: Kafka) -> None:
    """A topic that is made by asking for it: the first answer, and what there is then."""
    a = kafka.connect()
    for version in 0, 3, 4, 9, 12, 13:
        name = kafka.name(f"new-{version}")
        a.call(api, asked(name, create=True), version)
        a.until(api, asked(name), 12, lambda answer: not answer.topics[0].error_code)


@case
def authorized_operations(kafka: Kafka) -> None:
    """What may be done, of topics and the cluster."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in range(8, 14):
        a.call(api, asked(topic.name, kafka.name("other"), include_topic_authorized_operations=True), version)
        if version < 11:
            a.call(api, asked(topic.name, include_cluster_authorized_operations=True), version)


@case
def internal_topics(kafka: Kafka) -> None:
    """The topic of the groups' offsets, and a name that Kafka keeps for itself."""
    a = kafka.connect()
    wanted = find_coordinator.FindCoordinatorRequest(coordinator_keys=[kafka.name("group")])
    a.call(find_coordinator, wanted, 4)
    for version in 4, 9, 12, 13:
        a.call(api, asked("__consumer_offsets"), version)
        a.call(api, asked("__cluster_metadata"), version)
        a.call(api, asked("__cluster_metadata", create=True), version)


@case
def names_that_collide(kafka: Kafka) -> None:
    """A name that differs from a topic's by a dot for an underscore, to be created."""
    topic = kafka.topic(name="a_b")
    a = kafka.connect()
    for version in 4, 12:
        a.call(api, asked(topic.name.replace("a_b", "a.b"), create=True), version)
