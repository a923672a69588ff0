"""Events from and results to Kafka, with kafka-python: plain calls that wait, one thread for each of the two halves.

What a crash can and cannot do is said in `examples.shared.partition`. Here its third rule is kept (`_keep`): results
are acknowledged, then the snapshot is written. The group's offsets are for those who look at the group.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from functools import partial
from typing import Any

from examples.shared.options import Options, Refused, Stop
from examples.shared.partition import Partition
from examples.shared.progress import Status
from examples.shared.screen import Screen
from examples.shared.work import Work
from examples.shared.world import Pace, last_number, told, unsent
from examples.spam import view
from examples.spam.detector import Detector
from examples.spam.events import Interaction, day_of_interactions, read
from kafka.errors import (
    FencedInstanceIdError,
    KafkaConnectionError,
    KafkaError,
    KafkaTimeoutError,
    TopicAlreadyExistsError,
    for_code,
)
from kafka.structs import OffsetAndMetadata

from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition

_DAY_MS = 86_400_000
_LAST = 5
_TIMEOUT_MS = 5_000
_BOOTSTRAP_MS = 3_000
_POLL_S = 0.1
# Only the last snapshot counts; those before are deleted now and then.
_SNAPSHOTS_KEPT = 50


def run(options: Options, stop: Stop) -> None:
    """Make events, work on them, or both, until `stop`; raise Refused if that is not possible."""
    # What the library writes into its log, it also raises; that is told in one line.
    logging.getLogger("kafka").setLevel(logging.CRITICAL + 1)
    try:
        _run(options, stop)
    except KafkaTimeoutError as error:
        raise Refused(options.no_broker if "bootstrap" in str(error) else f"Kafka says: {error}") from None
    except KafkaConnectionError:
        raise Refused(options.no_broker) from None
    except FencedInstanceIdError:
        raise Refused(options.fenced) from None
    except KafkaError as error:
        raise Refused(f"Kafka says: {error}") from None


def _run(options: Options, stop: Stop) -> None:
    status = Status(partitions=create_topics(options))
    work: Work[Interaction] = Work(options, status, read, Detector)
    failures: list[Exception] = []
    with Screen(
        lambda width, height: view.picture(_models(work), status, width, height),
        lambda: view.line(_models(work), status),
        plain=options.plain,
        closed=stop.now,
    ) as screen:
        work.say = screen.say
        generator = threading.Thread(target=_generate, args=(options, stop, status, work, failures))
        if options.generates:
            generator.start()
        try:
            if options.processes:
                Processor(options, stop, work, screen).run()
            while options.generates and generator.is_alive() and not stop.wait(_POLL_S):
                screen.refresh()
        finally:
            stop.now()
            if options.generates:
                generator.join()
        for failure in failures:
            raise failure
    screen.say(status.summary())


def _models(work: Work[Interaction]) -> list[Detector]:
    return [each.model for each in work.held.values() if isinstance(each.model, Detector)]


def _admin(options: Options) -> KafkaAdminClient:
    return KafkaAdminClient(bootstrap_servers=options.bootstrap, bootstrap_timeout_ms=_BOOTSTRAP_MS)


def _producer(options: Options) -> KafkaProducer:
    # Retries neither repeat nor reorder; acks=all comes with it.
    return KafkaProducer(
        bootstrap_servers=options.bootstrap,
        enable_idempotence=True,
        compression_type="gzip",
        linger_ms=5,
        batch_size=256 * 1024,
    )


def _consumer(options: Options, **settings: Any) -> KafkaConsumer:
    return KafkaConsumer(
        bootstrap_servers=options.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, **settings
    )


def _reader(options: Options) -> KafkaConsumer:
    """Return a consumer without a group, for a look into topics."""
    return _consumer(options, fetch_max_wait_ms=20)


def create_topics(options: Options) -> int:
    """Create what is missing; return the number of partitions, which is the same for all three topics."""
    topics = options.topics
    kept_ms = {topics.events: 7 * _DAY_MS, topics.results: 7 * _DAY_MS, topics.state: -1}
    admin = _admin(options)
    try:
        created = admin.create_topics(
            {
                name: {"num_partitions": options.partitions, "configs": {"retention.ms": str(ms)}}
                for name, ms in kept_ms.items()
            },
            raise_errors=False,
        )
        for each in created["topics"]:
            if each["error_code"] not in {0, TopicAlreadyExistsError.errno}:
                why = each["error_message"] or for_code(each["error_code"]).__name__
                raise Refused(f"topic {each['name']} cannot be created: {why}")
        admin.wait_for_topics(list(kept_ms))
        counts = {each["name"]: len(each["partitions"]) for each in admin.describe_topics(list(kept_ms))}
    finally:
        admin.close()
    if len(set(counts.values())) != 1:
        raise Refused(f"these topics must have the same number of partitions: {counts}; take another --prefix")
    return counts[topics.events]


def bounds(reader: KafkaConsumer, topic: str, numbers: Iterable[int]) -> tuple[dict[int, int], dict[int, int]]:
    """Return where partitions begin and end."""
    places = [TopicPartition(topic, number) for number in numbers]
    begins, ends = reader.beginning_offsets(places), reader.end_offsets(places)
    return {each.partition: begins[each] for each in places}, {each.partition: ends[each] for each in places}


def last_values(reader: KafkaConsumer, topic: str, numbers: Iterable[int]) -> dict[int, list[bytes]]:
    """Return the values of the last few records of partitions, none where there is none."""
    begins, ends = bounds(reader, topic, numbers)
    values: dict[int, list[bytes]] = {number: [] for number in ends}
    left = {number: end for number, end in ends.items() if end > begins[number]}
    reader.assign([TopicPartition(topic, number) for number in left])
    for number, end in left.items():
        reader.seek(TopicPartition(topic, number), max(begins[number], end - _LAST))
    # The log may end with an offset that was given and has no record: then nothing comes, and that is all.
    while left and (batches := reader.poll(timeout_ms=_TIMEOUT_MS)):
        for place, records in batches.items():
            values[place.partition] += [record.value for record in records]
            if records[-1].offset + 1 >= left.get(place.partition, 0):
                left.pop(place.partition, None)
    return values


# ---------------------------------------------------------------- make events


def _generate(options: Options, stop: Stop, status: Status, work: Work[Interaction], failures: list[Exception]) -> None:
    try:
        generate(options, stop, status, work)
    except Exception as error:
        failures.append(error)
        stop.now()


def generate(options: Options, stop: Stop, status: Status, work: Work[Interaction]) -> None:
    """Write the world's events, from where the topic ends."""
    topic, producer, reader = options.topics.events, _producer(options), _reader(options)
    try:
        values = last_values(reader, topic, range(status.partitions))
        last_numbers = [last_number(values[each], read, options.topics.events) for each in sorted(values)]
        work.say(told(last_numbers))
        pace = Pace(options.rate)
        for partition, event in unsent(partial(day_of_interactions, options.seed), last_numbers):
            pace.take()
            while (seconds := pace.early()) > 0 and not stop.wait(min(seconds, _POLL_S)):
                pass
            if stop.is_set() or status.made == options.events:
                break
            producer.send(topic, event.encode(), key=event.key.encode(), partition=partition)
            status.made, status.made_at = status.made + 1, event.at
        producer.flush()
        work.finish(bounds(reader, topic, range(status.partitions))[1])
    finally:
        reader.close()
        producer.close()


# ---------------------------------------------------------------- work on them


class Processor(ConsumerRebalanceListener):  # type: ignore[misc]
    """Reads the partitions that the group gives it, and writes results and snapshots."""

    def __init__(self, options: Options, stop: Stop, work: Work[Interaction], screen: Screen) -> None:
        self._options, self._stop = options, stop
        self._work, self._screen = work, screen
        self._producer = _producer(options)
        self._unacknowledged: list[Any] = []
        self._to_commit: dict[int, int] = {}
        self._assigned: list[int] | None = None
        self._ended = False
        self._consumer = _consumer(
            options,
            group_id=options.group,
            # A static member: started again after a crash, it has its partitions back at once.
            group_instance_id=options.instance,
            session_timeout_ms=30_000,
        )

    def run(self) -> None:
        """Work until it is time to stop."""
        self._consumer.subscribe([self._options.topics.events], listener=self)
        # Who joins before the partitions are known joins again, and the library may lose what that gives.
        self._consumer.partitions_for_topic(self._options.topics.events)
        try:
            while not self._stop.is_set() and not self._work.over:
                batches = self._consumer.poll(timeout_ms=int(_POLL_S * 1000), max_records=self._options.batch_max)
                if self._assigned is not None:
                    self._begin(self._assigned)
                    continue  # What was fetched is from before the partitions' places were set.
                for place, records in batches.items():
                    for record in records:
                        self._take(place, record.offset, record.value)
                self._keep(self._work.due())
                self._commit()
                self._screen.refresh()
            self._keep(self._work.changed(self._work.held))
            self._commit()
        finally:
            self._ended = True
            self._consumer.close()
            self._producer.close()
            self._stop.now()

    def _take(self, place: TopicPartition, offset: int, value: bytes | None) -> None:
        if place.partition not in self._work.held or self._work.over:
            return
        for key, result in self._work.take(place.partition, offset, value, self._consumer.highwater(place)):
            sent = self._producer.send(
                self._options.topics.results, result, key=key.encode(), partition=place.partition
            )
            self._unacknowledged.append(sent)

    def _keep(self, changed: list[Partition[Interaction]]) -> None:
        """Write snapshots of partitions, after all results before them are acknowledged."""
        if not changed:
            return
        self._acknowledged(self._unacknowledged)
        self._unacknowledged.clear()
        snapshots = self._work.snapshots(changed)
        written = self._acknowledged(
            [
                self._producer.send(self._options.topics.state, each.encode(), partition=number)
                for number, each in snapshots.items()
            ]
        )
        self._to_commit |= {number: each.next_offset for number, each in snapshots.items()}
        old = {TopicPartition(each.topic, each.partition): each.offset for each in written if each.offset}
        if any(offset % _SNAPSHOTS_KEPT == 0 for offset in old.values()):
            self._delete(old)

    def _delete(self, before: dict[TopicPartition, int]) -> None:
        try:
            admin = _admin(self._options)
            try:
                admin.delete_records(before)
            finally:
                admin.close()
        except KafkaError:
            pass  # Next time.

    def _acknowledged(self, sent: list[Any]) -> list[Any]:
        self._producer.flush()
        return [each.get() for each in sent]  # Raises what kept a record from being written.

    def _commit(self) -> None:
        """Tell the group where the snapshots are."""
        if not self._to_commit:
            return
        events = self._options.topics.events
        try:
            self._consumer.commit(
                {TopicPartition(events, each): OffsetAndMetadata(at, "", -1) for each, at in self._to_commit.items()}
            )
        except FencedInstanceIdError:
            raise
        except KafkaError:
            pass  # The partitions moved on; where they go on, the snapshots say.
        self._to_commit = {}

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """Write down where the partitions are before somebody else gets them."""
        if not self._ended:
            numbers = [place.partition for place in revoked]
            self._keep(self._work.changed(numbers))
            self._work.end(numbers)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        """Note it: this is the library's thread, which must not wait for itself."""
        self._assigned = [place.partition for place in assigned]

    def _begin(self, numbers: list[int]) -> None:
        """Go on where the snapshots say."""
        topics = self._options.topics
        try:
            # Another consumer asks: on this one's connection, the answers would stand behind a fetch that waits.
            reader = _reader(self._options)
            try:
                states = last_values(reader, topics.state, numbers)
                begins, ends = bounds(reader, topics.events, numbers)
            finally:
                reader.close()
        except KafkaTimeoutError:
            return  # The broker is away: after the next poll, once more.
        self._assigned = None
        for number, offset in self._work.begin(states, begins, ends).items():
            self._consumer.seek(TopicPartition(topics.events, number), offset)
