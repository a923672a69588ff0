"""Records cases: asks Apache Kafka everything, and returns the text of the recordings.

python tests/conformance/recorder.py [--kafka HOST:PORT] [TOPIC …]
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))  # For `python tests/conformance/recorder.py`.

from conformance.brokers import SETTINGS
from conformance.recording import RECORDINGS, text_of
from conformance.scenario import Kafka, cases_of
from conformance.wire import Address
from fleuve.wire.generated import (
    delete_groups,
    describe_groups,
    find_coordinator,
    init_producer_id,
    leave_group,
    list_groups,
)
from support.apache_kafka import ApacheKafka
from support.wire_client import Client

CASES = Path(__file__).parent / "cases"
AT_ONCE = 6
"""Files of cases that ask at the same time: most of their time they wait for Kafka."""


def topics() -> list[str]:
    """Return the names of the files of cases."""
    return sorted(path.stem for path in CASES.glob("*.py"))


def record(address: Address, topic: str) -> str:
    """Return the recording of a file of cases."""
    module = import_module(f"conformance.cases.{topic}")
    recorded = []
    for one in cases_of(module):
        kafka = Kafka(address, topic, one)
        try:
            one(kafka)
        except Exception as error:
            error.add_note(f"in {topic}/{one.__name__}, behind\n{kafka.recorded}")
            raise
        finally:
            kafka.close()
        recorded.append(kafka.recorded)
    return text_of(recorded)


def warm_up(address: Address) -> None:
    """Wait until Kafka has what its first clients make it make: internal topics, and producer ids."""
    asked: list[tuple[Any, Any, int]] = [
        (find_coordinator, find_coordinator.FindCoordinatorRequest(coordinator_keys=["warm-up"], key_type=kind), 4)
        for kind in (0, 1)
    ]
    init = init_producer_id.InitProducerIdRequest(transactional_id=None, transaction_timeout_ms=60_000)
    asked.append((init_producer_id, init, 4))
    with Client(address) as client:
        for codec, request, version in asked:
            answer = client.call(codec, request, version)
            while answer.error_code or any(one.error_code for one in getattr(answer, "coordinators", ())):
                answer = client.call(codec, request, version)


def record_all(address: Address, wanted: list[str]) -> dict[str, str]:
    """Return the recordings of several files: those that need the broker to themselves come last, one by one."""
    warm_up(address)
    alone = [topic for topic in wanted if getattr(import_module(f"conformance.cases.{topic}"), "ALONE", False)]
    together = [topic for topic in wanted if topic not in alone]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        texts = dict(zip(together, pool.map(lambda topic: record(address, topic), together), strict=True))
    for topic in alone:
        texts[topic] = record(address, topic)
    return texts


def sweep(address: Address, wanted: list[str]) -> None:
    """Delete what earlier recordings have left on a Kafka that goes on running."""
    prefixes = tuple(f"{topic}-".replace("_", "-") for topic in wanted)
    with Client(address) as client:
        for name in client.topics():
            if name.startswith(prefixes):
                client.delete_topic(name)
        groups = client.call(list_groups, list_groups.ListGroupsRequest(), 4).groups
        left = [group.group_id for group in groups if group.group_id.startswith(prefixes)]
        described = client.call(describe_groups, describe_groups.DescribeGroupsRequest(groups=left), 5).groups
        for group in described:
            members = [leave_group.MemberIdentity(member_id=member.member_id) for member in group.members]
            client.call(leave_group, leave_group.LeaveGroupRequest(group_id=group.group_id, members=members), 5)
        client.call(delete_groups, delete_groups.DeleteGroupsRequest(groups_names=left), 2)
        while any(name.startswith(prefixes) for name in client.topics()):
            pass


def main() -> None:
    """Write recordings."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("topics", nargs="*", help="files of cases, without .py; all of them by default")
    parser.add_argument("--kafka", help="host:port of an Apache Kafka that runs; by default one is started")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        if arguments.kafka:
            host, _, port = arguments.kafka.rpartition(":")
            address = (host, int(port))
            sweep(address, arguments.topics or topics())
        else:
            address = stack.enter_context(ApacheKafka(SETTINGS)).address
        for topic, text in record_all(address, arguments.topics or topics()).items():
            (RECORDINGS / f"{topic}.txt").write_text(text)


if __name__ == "__main__":
    main()
