"""Events from and results to Kafka, with confluent-kafka: one thread for each of the two halves.

What a crash can and cannot do is said in `examples.shared.partition`. Here its third rule is kept (`_keep`): results
are acknowledged, then the snapshot is written. The group's offsets are for those who look at the group.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from functools import partial
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic
from examples.recommendations import view
from examples.recommendations.events import Click, day_of_clicks, read
from examples.recommendations.recommender import Recommender
from examples.shared.options import Options, Refused, Stop
from examples.shared.partition import Partition
from examples.shared.progress import Status
from examples.shared.screen import Screen
from examples.shared.work import Work
from examples.shared.world import Pace, last_number, told, unsent

_UNREACHABLE = {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE, KafkaError._TIMED_OUT}
_LEADERLESS = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE}
_SILENT = logging.getLogger("examples.recommendations.librdkafka")
_DAY_MS = 86_400_000
_LAST = 5
_TIMEOUT_S = 5.0
_POLL_S = 0.1
# Only the last snapshot counts; those before are deleted now and then.
_SNAPSHOTS_KEPT = 50


def run(options: Options, stop: Stop) -> None:
    """Make events, work on them, or both, until `stop`; raise Refused if that is not possible."""
    try:
        status = Status(partitions=create_topics(options))
        _run(options, stop, status)
    except KafkaException as error:
        raise Refused(_said(options, error.args[0])) from None


def _said(options: Options, error: KafkaError) -> str:
    if error.code() in {KafkaError.FENCED_INSTANCE_ID, KafkaError._FATAL}:
        return options.fenced
    return options.no_broker if error.code() in _UNREACHABLE else f"Kafka says: {error.str()}"


def _settings(options: Options, **more: Any) -> dict[str, Any]:
    # What the library writes into its log, it also raises; that is told in one line.
    _SILENT.disabled = True
    return {"bootstrap.servers": options.bootstrap, "logger": _SILENT, **more}


def _run(options: Options, stop: Stop, status: Status) -> None:
    work: Work[Click] = Work(options, status, read, Recommender)
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
                Processor(options, stop, status, work, screen).run()
            while options.generates and generator.is_alive() and not stop.wait(_POLL_S):
                screen.refresh()
        finally:
            stop.now()
            if options.generates:
                generator.join()
        for failure in failures:
            raise failure
    screen.say(status.summary())


def _models(work: Work[Click]) -> list[Recommender]:
    return [each.model for each in work.held.values() if isinstance(each.model, Recommender)]


def create_topics(options: Options) -> int:
    """Create what is missing; return the number of partitions, which is the same for all three topics."""
    admin = _admin(options)
    topics = options.topics
    kept_ms = {topics.events: 7 * _DAY_MS, topics.results: 7 * _DAY_MS, topics.state: -1}
    created = admin.create_topics(
        [NewTopic(name, options.partitions, config={"retention.ms": str(ms)}) for name, ms in kept_ms.items()],
        operation_timeout=_TIMEOUT_S,
    )
    for name, future in created.items():
        try:
            future.result()
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise Refused(f"topic {name} cannot be created: {error.args[0].str()}") from None
    counts = {name: len(admin.list_topics(name, timeout=_TIMEOUT_S).topics[name].partitions) for name in kept_ms}
    if len(set(counts.values())) != 1:
        raise Refused(f"these topics must have the same number of partitions: {counts}; take another --prefix")
    return counts[topics.events]


def _admin(options: Options) -> AdminClient:
    """Return a client that has reached the broker; raise KafkaException at once if nobody is there."""
    errors: list[KafkaError] = []
    admin = AdminClient(_settings(options, error_cb=errors.append))
    for _ in range(int(_TIMEOUT_S / _POLL_S)):
        admin.poll(0)
        if down := [error for error in errors if error.code() == KafkaError._ALL_BROKERS_DOWN]:
            raise KafkaException(down[0])
        try:
            admin.list_topics(timeout=_POLL_S)
        except KafkaException:
            continue
        break
    return admin


def bounds(reader: Consumer, topic: str, numbers: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Return where partitions begin and end."""
    return {each: _bounds_of(reader, TopicPartition(topic, each)) for each in numbers}


def _bounds_of(reader: Consumer, place: TopicPartition) -> tuple[int, int]:
    for _ in range(int(_TIMEOUT_S / _POLL_S)):
        try:
            return reader.get_watermark_offsets(place, timeout=_TIMEOUT_S, cached=False)
        except KafkaException as error:
            # A partition that was just made may have no leader yet, or the broker is away.
            if not error.args[0].retriable() and error.args[0].code() not in _LEADERLESS | _UNREACHABLE:
                raise
            reader.poll(_POLL_S)
    raise Refused(f"partition {place.partition} of {place.topic} has no leader: look at its broker, and try again")


def last_values(reader: Consumer, topic: str, numbers: Iterable[int]) -> dict[int, list[bytes]]:
    """Return the values of the last few records of partitions, none where there is none."""
    places = bounds(reader, topic, numbers)
    values: dict[int, list[bytes]] = {each: [] for each in places}
    left = {each: end for each, (begin, end) in places.items() if end > begin}
    reader.assign([TopicPartition(topic, each, max(places[each][0], end - _LAST)) for each, end in left.items()])
    # The log may end with an offset that was given and has no record: then nothing comes, and that is all.
    while left and (message := reader.poll(_TIMEOUT_S)) is not None:
        number, offset = _place(_checked(message))
        values[number].append(message.value() or b"")
        if offset + 1 >= left.get(number, 0):
            left.pop(number, None)
    return values


def _reader(options: Options) -> Consumer:
    """Return a consumer that stays without a group, for a look into topics.

    Its fetches wait little: questions for offsets stand behind them.
    """
    return Consumer(_settings(options, **{"group.id": "none", "enable.auto.commit": False, "fetch.wait.max.ms": 20}))


def _checked(message: Message) -> Message:
    error = message.error()
    if error is not None:
        raise KafkaException(error)
    return message


def _place(message: Message) -> tuple[int, int]:
    """Return partition and offset of a record that was read or written; without one it is neither."""
    number, offset = message.partition(), message.offset()
    assert number is not None
    assert offset is not None
    return number, offset


class Writer:
    """A producer that tells of what could not be written."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._failure: KafkaError | None = None
        # Retries neither repeat nor reorder; acks=all comes with it.
        self._producer = Producer(_settings(options, **{"enable.idempotence": True, "compression.type": "gzip"}))
        self.last_offsets: dict[int, int] = {}

    def write(self, topic: str, partition: int, key: str | None, value: bytes) -> None:
        """Hand a record over; it is written at the latest when `wait` returns."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition, on_delivery=self._delivered)
            except BufferError:
                self._producer.poll(_POLL_S)  # Full: the broker is slower than we are.
            else:
                self._producer.poll(0)
                return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._failure = self._failure or error
        else:
            number, offset = _place(message)
            self.last_offsets[number] = offset

    def wait(self) -> None:
        """Return when everything is acknowledged; raise KafkaException if something could not be written."""
        self._producer.flush()
        if self._failure is not None:
            raise KafkaException(self._failure)


# ---------------------------------------------------------------- make events


def _generate(options: Options, stop: Stop, status: Status, work: Work[Click], failures: list[Exception]) -> None:
    try:
        generate(options, stop, status, work)
    except Exception as error:
        failures.append(error)
        stop.now()


def generate(options: Options, stop: Stop, status: Status, work: Work[Click]) -> None:
    """Write the world's events, from where the topic ends."""
    topic, writer, reader = options.topics.events, Writer(options), _reader(options)
    try:
        values = last_values(reader, topic, range(status.partitions))
        last_numbers = [last_number(values[each], read, options.topics.events) for each in sorted(values)]
        work.say(told(last_numbers))
        pace = Pace(options.rate)
        for partition, event in unsent(partial(day_of_clicks, options.seed), last_numbers):
            pace.take()
            while (seconds := pace.early()) > 0 and not stop.wait(min(seconds, _POLL_S)):
                pass
            if stop.is_set() or status.made == options.events:
                break
            writer.write(topic, partition, event.key, event.encode())
            status.made, status.made_at = status.made + 1, event.at
        writer.wait()
        work.finish({each: end for each, (_, end) in bounds(reader, topic, range(status.partitions)).items()})
    finally:
        reader.close()


# ---------------------------------------------------------------- work on them


class Processor:
    """Reads the partitions that the group gives it, and writes results and snapshots."""

    def __init__(self, options: Options, stop: Stop, status: Status, work: Work[Click], screen: Screen) -> None:
        self._options, self._stop, self._status = options, stop, status
        self._work, self._screen = work, screen
        self._results, self._state = Writer(options), Writer(options)
        self._ended = False
        self._consumer = Consumer(
            _settings(
                options,
                **{
                    "group.id": options.group,
                    # A static member: started again after a crash, it has its partitions back at once.
                    "group.instance.id": options.instance,
                    "session.timeout.ms": 30_000,
                    "enable.auto.commit": False,
                    "auto.offset.reset": "earliest",
                },
            )
        )

    def run(self) -> None:
        """Work until it is time to stop."""
        self._consumer.subscribe(
            [self._options.topics.events], on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._lost
        )
        try:
            while not self._stop.is_set() and not self._work.over:
                for message in self._consumer.consume(self._options.batch_max, timeout=_POLL_S):
                    self._take(_checked(message))
                self._keep(self._work.due())
                self._screen.refresh()
            self._keep(self._work.changed(self._work.held))
        finally:
            self._ended = True
            self._consumer.close()
            self._stop.now()

    def _take(self, message: Message) -> None:
        number, offset = _place(message)
        if self._work.over or number not in self._work.held:
            return
        place = TopicPartition(self._options.topics.events, number)
        _, end = self._consumer.get_watermark_offsets(place, cached=True)
        for key, result in self._work.take(number, offset, message.value(), end):
            self._results.write(self._options.topics.results, number, key, result)

    def _keep(self, changed: list[Partition[Click]]) -> None:
        """Write snapshots of partitions, after all results before them are acknowledged."""
        if not changed:
            return
        self._results.wait()
        snapshots = self._work.snapshots(changed)
        for number, snapshot in snapshots.items():
            self._state.write(self._options.topics.state, number, None, snapshot.encode())
        self._state.wait()
        events = self._options.topics.events
        try:
            self._consumer.commit(
                offsets=[TopicPartition(events, number, each.next_offset) for number, each in snapshots.items()],
                asynchronous=False,
            )
        except KafkaException as error:
            if error.args[0].fatal():
                raise
            # The partitions moved on; where they go on, the snapshots say.
        self._delete_old()

    def _delete_old(self) -> None:
        last = {number: offset for number, offset in self._state.last_offsets.items() if offset}
        if any(offset % _SNAPSHOTS_KEPT == 0 for offset in last.values()):
            old = [TopicPartition(self._options.topics.state, number, offset) for number, offset in last.items()]
            try:
                admin = _admin(self._options)
                for future in admin.delete_records(old).values():
                    future.result(_TIMEOUT_S)
            except (KafkaException, TimeoutError):
                pass  # Next time.

    def _assigned(self, consumer: Consumer, assigned: list[TopicPartition]) -> None:
        """Go on where the snapshots say."""
        topics, reader = self._options.topics, _reader(self._options)
        try:
            numbers = [place.partition for place in assigned]
            states = last_values(reader, topics.state, numbers)
            places = bounds(reader, topics.events, numbers)
        finally:
            reader.close()
        starts = self._work.begin(
            states,
            {number: begin for number, (begin, _) in places.items()},
            {number: end for number, (_, end) in places.items()},
        )
        consumer.assign([TopicPartition(topics.events, number, offset) for number, offset in starts.items()])

    def _revoked(self, _consumer: Consumer, revoked: list[TopicPartition]) -> None:
        """Write down where the partitions are before somebody else gets them."""
        if not self._ended:
            numbers = [place.partition for place in revoked]
            self._keep(self._work.changed(numbers))
            self._work.end(numbers)

    def _lost(self, _consumer: Consumer, lost: list[TopicPartition]) -> None:
        """Forget them: somebody else has them already."""
        if not self._ended:
            self._work.end([place.partition for place in lost])
