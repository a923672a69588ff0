"""Fetch: incremental sessions (KIP-227)."""

from __future__ import annotations

from typing import Any, NamedTuple
from uuid import UUID

from conformance.requests import FETCH_IDS, append, deleted_up_to, fetched, numbered
from conformance.scenario import Connection, Kafka, Topic, case
from fleuve.wire.generated import delete_records, fetch

VERSIONS = (7, 11, 12, 13, 15, 16, 17, 18)


class Session(NamedTuple):
    """A session as a client has it."""

    a: Connection
    topic: Topic
    version: int
    id: int

    def go_on(self, epoch: int, offsets: dict[int, int], *, forget: list[int] | None = None) -> None:
        """Fetch what changed, with partitions to be read from other offsets and partitions to be left out."""
        request = fetched(self.topic, offsets, self.version, session_id=self.id, session_epoch=epoch)
        if forget is not None:
            left_out = fetch.ForgottenTopic(partitions=forget)
            if self.version < FETCH_IDS:
                left_out.topic = self.topic.name
            else:
                left_out.topic_id = self.topic.id
            request.forgotten_topics_data = [left_out]
        self.a.call(fetch, request, self.version)


@case
def a_session(kafka: Kafka) -> None:
    """Begun, gone on with, changed, shrunk, closed; only what changed is answered."""
    a, b = kafka.connect(), kafka.connect()
    for version in VERSIONS:
        topic = kafka.topic(3, name=f"v{version}")
        append(b, topic, numbered(0, 1))
        begun = a.call(fetch, fetched(topic, {0: 0, 1: 0, 2: 0}, version, session_epoch=0), version)
        go_on = Session(a, topic, version, begun.session_id).go_on
        go_on(1, {0: 1})
        go_on(2, {})
        append(b, topic, numbered(1, 1), 1)
        go_on(3, {})
        go_on(4, {})
        go_on(5, {1: 1})
        go_on(6, {})
        append(b, topic, numbered(2, 1), 2)
        append(b, topic, numbered(2, 1), 0)
        go_on(7, {}, forget=[2])
        go_on(8, {2: 0})
        b.call(delete_records, deleted_up_to(topic, {1: 1}), 2)
        go_on(9, {0: 2, 2: 1})
        go_on(10, {0: 100})
        go_on(11, {})
        go_on(12, {0: 2, 9: 0})
        go_on(13, {})
        go_on(14, {}, forget=[0, 1, 2, 9, 11])
        go_on(15, {})
        go_on(-1, {0: 0})
        go_on(16, {})


@case
def wrong_sessions_and_epochs(kafka: Kafka) -> None:
    """A session that there is not, epochs that do not follow, a repeated one; begun anew with the old id."""
    a = kafka.connect()
    for version in VERSIONS:
        topic = kafka.topic(2, name=f"v{version}")
        append(a, topic, numbered(0, 1))
        for session, epoch in (999, 1), (999, -1), (999, 0), (0, 1), (0, 5), (0, -1), (0, -5), (-1, 0), (-1, 1):
            a.call(fetch, fetched(topic, {0: 0}, version, session_id=session, session_epoch=epoch), version)
        session = a.call(fetch, fetched(topic, {0: 0}, version, session_epoch=0), version).session_id
        for epoch in 2, 1, 1, 2, 0, 1, 3, -2, 2:
            a.call(fetch, fetched(topic, {0: 1}, version, session_id=session, session_epoch=epoch), version)


@case
def a_session_that_waits(kafka: Kafka) -> None:
    """An incremental fetch waits for what changes."""
    topic = kafka.topic(2)
    a, b = kafka.connect(), kafka.connect()
    for version in 7, 12, 18:
        end = append(b, topic, numbered(0, 1)).base_offset + 1
        options: dict[str, Any] = {"min_bytes": 1, "max_wait_ms": 20_000}
        begun = a.call(fetch, fetched(topic, {0: end - 1, 1: 0}, version, session_epoch=0, **options), version)
        session = begun.session_id
        request = fetched(topic, {0: end}, version, session_id=session, session_epoch=1, **options)
        a.send(fetch, request, version)
        a.waits()
        append(b, topic, numbered(1, 1))
        a.receive()
        short = fetched(topic, {0: end + 1}, version, session_id=session, session_epoch=2, min_bytes=1, max_wait_ms=20)
        a.call(fetch, short, version)
        a.call(fetch, fetched(topic, {}, version, session_id=session, session_epoch=-1), version)


@case
def unknown_topics_in_a_session(kafka: Kafka) -> None:
    """A topic that is not there, in the first request, and later."""
    a = kafka.connect()
    for version in VERSIONS:
        topic = kafka.topic(name=f"v{version}")
        other = Topic(kafka.name(f"other-{version}"), UUID(int=70 + version))
        request = fetched(topic, {0: 0}, version, session_epoch=0)
        request.topics += fetched(other, {0: 0}, version).topics
        session = a.call(fetch, request, version).session_id
        a.call(fetch, fetched(topic, {}, version, session_id=session, session_epoch=1), version)
        a.call(fetch, fetched(other, {1: 0}, version, session_id=session, session_epoch=2), version)
        a.call(fetch, fetched(topic, {}, version, session_id=session, session_epoch=3), version)


@case
def names_and_ids_in_one_session(kafka: Kafka) -> None:
    """A session begun with names and gone on with ids, and the other way round."""
    topic = kafka.topic()
    a = kafka.connect()
    append(a, topic, numbered(0, 1))
    for first, second in (12, 13), (13, 12):
        session = a.call(fetch, fetched(topic, {0: 0}, first, session_epoch=0), first).session_id
        for version, epoch in (second, 1), (first, 2), (first, 1):
            a.call(fetch, fetched(topic, {0: 1}, version, session_id=session, session_epoch=epoch), version)


@case
def sessions_outlive_connections(kafka: Kafka) -> None:
    """A session of one connection, used by another."""
    topic = kafka.topic()
    a, b = kafka.connect(), kafka.connect()
    append(a, topic, numbered(0, 1))
    session = a.call(fetch, fetched(topic, {0: 0}, 12, session_epoch=0), 12).session_id
    a.close()
    b.call(fetch, fetched(topic, {0: 0}, 12, session_id=session, session_epoch=1), 12)
    b.call(fetch, fetched(topic, {}, 12, session_id=session, session_epoch=-1), 12)


@case
def a_session_about_nothing(kafka: Kafka) -> None:
    """A full request without partitions."""
    topic = kafka.topic()
    a = kafka.connect()
    for version in VERSIONS:
        a.call(fetch, fetched(topic, {}, version, session_epoch=0), version)
