"""`fleuve top` without a screen: plain tables of one interval, or JSON, one object for each interval."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

from fleuve.cli.output.json_lines import print_json
from fleuve.cli.output.standard_output import flush
from fleuve.cli.output.tables import Table, print_lines
from fleuve.cli.top import words
from fleuve.cli.top.rates import History, View
from fleuve.cli.top.sampling import Sampler
from fleuve.cli.top.sorting import groups_in_order, topics_in_order


def print_once(sampler: Sampler, interval_s: float, *, rows_max: int) -> int:
    """Print tables of one interval."""
    view = _next_view(sampler, _begun(sampler), interval_s)
    print_lines([headline(view), f"{words.rate(view.records_per_s)} records/s", ""])
    brokers = Table(
        ("BROKER", "ADDRESS", "CONNECTIONS", "REQUESTS/S", "IN/S", "OUT/S"),
        right=("BROKER", "CONNECTIONS", "REQUESTS/S", "IN/S", "OUT/S"),
        optional=("CONNECTIONS", "REQUESTS/S", "IN/S", "OUT/S"),
    )
    for broker in view.brokers:
        brokers.add(
            broker.broker_id,
            f"{broker.host}:{broker.port}",
            broker.connections,
            words.rate(broker.requests_per_s),
            words.size(broker.received_bytes_per_s),
            words.size(broker.sent_bytes_per_s),
        )
    brokers.print()
    topics = Table(("TOPIC", "PARTITIONS", "RECORDS/S"), right=("PARTITIONS", "RECORDS/S"))
    for topic in topics_in_order(view.topics, 0)[:rows_max]:
        topics.add(topic.topic, topic.partitions, words.rate(topic.records_per_s))
    groups = Table(
        ("GROUP", "STATE", "MEMBERS", "LAG", "RECORDS/S", "CAUGHT UP IN"),
        right=("MEMBERS", "LAG", "RECORDS/S", "CAUGHT UP IN"),
    )
    for group in groups_in_order(view.groups, 0)[:rows_max]:
        groups.add(
            group.group, group.state, group.members, group.lag, words.rate(group.records_per_s), words.outlook(group)
        )
    for table, count, what in ((topics, len(view.topics), "topics"), (groups, len(view.groups), "groups")):
        if table.rows:
            print_lines([""])
            table.print()
            if count > len(table.rows):
                print_lines([f"… {count - len(table.rows)} more {what}: --rows shows more"])
    return 0


def print_objects(sampler: Sampler, interval_s: float, *, once: bool) -> int:
    """Print one JSON object for each interval, for ever unless `once`."""
    history = _begun(sampler)
    while True:
        print_json(_document(_next_view(sampler, history, interval_s)))
        flush()
        if once:
            return 0


def headline(view: View) -> str:
    """Return what there is in all."""
    sample = view.sample
    partitions = sum(map(len, sample.topics.values()))
    counts = ((len(sample.nodes), "broker"), (len(sample.topics), "topic"), (partitions, "partition"))
    told = [f"{count:,} {what}{'' if count == 1 else 's'}" for count, what in (*counts, (len(sample.groups), "group"))]
    # The id comes last: in a narrow window it is what can be cut.
    return f"{', '.join(told)} in cluster {sample.cluster_id}"


def _begun(sampler: Sampler) -> History:
    history = History()
    history.add(sampler.sample())
    return history


def _next_view(sampler: Sampler, history: History, interval_s: float) -> View:
    threading.Event().wait(interval_s)
    history.add(sampler.sample())
    return history.view()


def _document(view: View) -> dict[str, Any]:
    sample = view.sample
    time = datetime.fromtimestamp(sample.time_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return {
        "time": time.replace("+00:00", "Z"),
        "interval_s": _rounded(view.interval_s),
        "cluster_id": sample.cluster_id,
        "records_per_s": _rounded(view.records_per_s),
        "brokers": [
            {
                "id": broker.broker_id,
                "host": broker.host,
                "port": broker.port,
                "connections": broker.connections,
                "requests_per_s": _rounded(broker.requests_per_s),
                "received_bytes_per_s": _rounded(broker.received_bytes_per_s),
                "sent_bytes_per_s": _rounded(broker.sent_bytes_per_s),
            }
            for broker in view.brokers
        ],
        "topics": [
            {
                "topic": topic.topic,
                "partitions": topic.partitions,
                "records_per_s": _rounded(topic.records_per_s),
            }
            for topic in topics_in_order(view.topics, 0)
        ],
        "groups": [
            {
                "group": group.group,
                "state": group.state,
                "members": group.members,
                "lag": group.lag,
                "records_per_s": _rounded(group.records_per_s),
                "course": group.course.value,
                "catch_up_s": _rounded(group.catch_up_s),
            }
            for group in groups_in_order(view.groups, 0)
        ],
    }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 3)
