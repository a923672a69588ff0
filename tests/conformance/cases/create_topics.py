"""CreateTopics: what may be created, what is said of it, and what there is behind."""

from __future__ import annotations

from typing import Any

from conformance.groups import offsets_topic
from conformance.scenario import Connection, Kafka, case, versions
from fleuve.wire.generated import create_topics, metadata

CONFIGS_FROM = 5
"""Since this version the answer lists a topic's settings: it is long."""


def wanted(
    name: str,
    partitions: int = 1,
    factor: int = 1,
    *,
    assignments: list[tuple[int, list[int]]] | None = None,
    configs: list[tuple[str, str | None]] | None = None,
) -> create_topics.CreatableTopic:
    """Return a topic as it is asked for."""
    return create_topics.CreatableTopic(
        name=name,
        num_partitions=partitions,
        replication_factor=factor,
        assignments=[
            create_topics.CreatableReplicaAssignment(partition_index=index, broker_ids=brokers)
            for index, brokers in assignments or ()
        ],
        configs=[create_topics.CreatableTopicConfig(name=key, value=value) for key, value in configs or ()],
    )


def create(
    a: Connection, version: int, *topics: create_topics.CreatableTopic, timeout_ms: int = 30_000, **fields: Any
) -> Any:
    """Create topics."""
    request = create_topics.CreateTopicsRequest(topics=list(topics), timeout_ms=timeout_ms, **fields)
    return a.call(create_topics, request, version)


def described(a: Connection, *names: str, there: bool = True) -> Any:
    """Ask until all the topics are there, or are not."""
    asked = metadata.MetadataRequest(
        topics=[metadata.MetadataRequestTopic(name=name) for name in names], allow_auto_topic_creation=False
    )

    def as_wanted(answer: Any) -> bool:
        return all(
            bool(topic.error_code) != there and all(not one.error_code for one in topic.partitions)
            for topic in answer.topics
        )

    return a.until(metadata, asked, 12, as_wanted)


@case
def a_topic_in_every_version(kafka: Kafka) -> None:
    """Made, made again, and described; with and without validate_only."""
    a = kafka.connect()
    for version in versions(create_topics):
        name = kafka.name(f"v{version}")
        create(a, version, wanted(name, 3), validate_only=True)
        described(a, name, there=False)
        create(a, version, wanted(name, 3))
        described(a, name)
        create(a, version, wanted(name, 3))
        create(a, version, wanted(name, 3), validate_only=True)
        create(a, version)


@case
def numbers_of_partitions_and_replicas(kafka: Kafka) -> None:
    """Defaults, none, too few and too many of them."""
    a = kafka.connect()
    for version in versions(create_topics):
        for number, (partitions, factor) in enumerate(
            [(-1, -1), (-1, 1), (1, -1), (0, 1), (-2, 1), (1, 0), (1, -2), (0, 0), (1, 2), (1, 32_767), (10_001, 1)]
        ):
            name = kafka.name(f"v{version}-{number}")
            create(a, version, wanted(name, partitions, factor), validate_only=version >= CONFIGS_FROM)
    create(a, 4, wanted(kafka.name("many"), 6_000), wanted(kafka.name("more"), 4_001))
    for number in range(3):
        described(a, kafka.name(f"v4-{number}"))


@case
def names_of_topics(kafka: Kafka) -> None:
    """Those that are not allowed, and the longest one."""
    a = kafka.connect()
    offsets_topic(a)
    names = [
        "", ".", "..", "a b", "a/b", "ü", "a\n", "a,b", "a:b", "*", "x" * 250, "__consumer_offsets",
        "__cluster_metadata",
    ]  # fmt: skip
    for version in versions(create_topics):
        for name in names:
            create(a, version, wanted(name))
    create(a, 4, *(wanted(name) for name in names))
    longest = kafka.name("").ljust(249, "x")
    create(a, 4, wanted(longest))
    described(a, longest)
    create(a, 4, wanted(kafka.name("...")), wanted(kafka.name("_-A9")))
    described(a, kafka.name("..."), kafka.name("_-A9"))


@case
def names_that_collide(kafka: Kafka) -> None:
    """`a.b` and `a_b`, which are one name in metrics."""
    a = kafka.connect()
    dotted = kafka.name("a.b")
    create(a, 4, wanted(dotted))
    described(a, dotted)
    for version in versions(create_topics):
        for other in dotted.replace("a.b", "a_b"), dotted.replace(".", "_"):
            create(a, version, wanted(other))
            create(a, version, wanted(other), validate_only=True)
    create(a, 4, wanted(kafka.name("c.d")), wanted(kafka.name("c_d")))


@case
def a_topic_twice_in_one_request(kafka: Kafka) -> None:
    """It is refused; the others of the request are made."""
    a = kafka.connect()
    for version in versions(create_topics):
        twice, other = kafka.name(f"twice{version}"), kafka.name(f"other{version}")
        only = version >= CONFIGS_FROM
        create(a, version, wanted(twice), wanted(other), wanted(twice, 2), validate_only=only)
        create(a, version, wanted(""), wanted(""), validate_only=only)
        described(a, twice, there=False)


@case
def assignments_by_hand(kafka: Kafka) -> None:
    """Good ones, and every way to get them wrong."""
    a = kafka.connect()
    assignments: list[list[tuple[int, list[int]]]] = [
        [(0, [1])],
        [(0, [1]), (1, [1])],
        [(1, [1]), (0, [1])],
        [(1, [1])],
        [(0, [1]), (2, [1])],
        [(-1, [1])],
        [(0, [2])],
        [(0, [-1])],
        [(0, [1, 1])],
        [(0, [1, 2])],
        [(0, [])],
        [(0, [1]), (1, [])],
        [(0, [1]), (1, [1, 2])],
        [(0, [1]), (0, [1])],
    ]
    for version in versions(create_topics):
        for number, by_hand in enumerate(assignments):
            name = kafka.name(f"v{version}-{number}")
            only = version >= CONFIGS_FROM
            create(a, version, wanted(name, -1, -1, assignments=by_hand), validate_only=only)
            for partitions, factor in (1, -1), (-1, 1), (1, 1), (0, 0), (2, 1):
                wrong = wanted(kafka.name("wrong"), partitions, factor, assignments=by_hand)
                if not number or version == 4:
                    create(a, version, wrong)
    described(a, kafka.name("v4-0"), kafka.name("v4-1"))


@case
def settings_of_a_topic(kafka: Kafka) -> None:
    """Good and bad values, unknown names, null, the same twice."""
    a = kafka.connect()
    lists: list[list[tuple[str, str | None]]] = [
        [("retention.ms", "1000")],
        [("retention.ms", "-1"), ("cleanup.policy", "compact,delete")],
        [("retention.ms", "-2")],
        [("retention.ms", "many")],
        [("retention.ms", "")],
        [("retention.ms", None)],
        [("retention.ms", "1000"), ("retention.ms", "2000")],
        [("retention.ms", "1000"), ("retention.ms", "nonsense")],
        [("nonsense", "1")],
        [("", "1")],
        [("nonsense", None)],
        [("log.retention.ms", "1000")],
        [("cleanup.policy", "nonsense")],
        [("cleanup.policy", "")],
        [("compression.type", "lzma")],
        [("max.message.bytes", "-1")],
        [("retention.ms", "nonsense"), ("nonsense", "1")],
    ]
    for version in versions(create_topics):
        for number, configs in enumerate(lists):
            name = kafka.name(f"v{version}-{number}")
            if version < CONFIGS_FROM or number > 1:
                create(a, version, wanted(name, configs=configs))
            create(a, version, wanted(kafka.name("only"), configs=configs), validate_only=True)


@case
def what_is_wrong_first(kafka: Kafka) -> None:
    """Several things at once: which one is told."""
    a = kafka.connect()
    there = kafka.topic()
    for version in 4, 7:
        create(a, version, wanted(there.name, 0, 0))
        create(a, version, wanted(there.name, configs=[("nonsense", "1")]))
        create(a, version, wanted("", 0, 0, configs=[("nonsense", "1")]))
        create(a, version, wanted(kafka.name("x"), 0, 0, configs=[("nonsense", "1")]))
        create(a, version, wanted(kafka.name("x"), 1, 9, configs=[("nonsense", "1")]))
        create(a, version, wanted(kafka.name("x"), 0, 9))
        create(a, version, wanted(kafka.name("x"), -1, -1, assignments=[(1, [7])], configs=[("nonsense", "1")]))
        create(a, version, wanted(kafka.name("x"), 0, 0, configs=[("retention.ms", None)]))
        create(a, version, wanted("", configs=[("retention.ms", None)]))
        create(a, version, wanted(there.name, configs=[("retention.ms", None)]))
        create(a, version, wanted(kafka.name("x"), 5, 5, assignments=[(1, [7])]))
        create(a, version, wanted("", assignments=[(1, [7])]))


@case
def time_outs(kafka: Kafka) -> None:
    """None at all, and negative ones."""
    a = kafka.connect()
    for number, timeout_ms in enumerate((0, -1, 1_000_000)):
        create(a, 4, wanted(kafka.name(str(number))), timeout_ms=timeout_ms)


@case
def many_in_one_request(kafka: Kafka) -> None:
    """Good and bad ones beside each other."""
    a = kafka.connect()
    there = kafka.topic()
    for version in versions(create_topics):
        create(
            a,
            version,
            wanted(kafka.name(f"a{version}")),
            wanted(there.name),
            wanted("a b"),
            wanted(kafka.name("none"), 0),
            wanted(kafka.name(f"b{version}"), 2),
            validate_only=version >= CONFIGS_FROM,
        )
    described(a, kafka.name("a4"), kafka.name("b4"))
