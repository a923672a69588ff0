"""FindCoordinator: who looks after a group."""

from __future__ import annotations

from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import find_coordinator as api

LISTS = 4
"""The version from which on there are several keys."""


def asked(version: int, *keys: str, kind: int = 0) -> api.FindCoordinatorRequest:
    """Ask for coordinators."""
    if version < LISTS:
        return api.FindCoordinatorRequest(key=keys[0], key_type=kind)
    return api.FindCoordinatorRequest(coordinator_keys=list(keys), key_type=kind)


@case
def groups(kafka: Kafka) -> None:
    """A group's coordinator, in every version; an empty name; several, and one twice."""
    a = kafka.connect()
    for version in versions(api):
        a.call(api, asked(version, kafka.name("group")), version)
        a.call(api, asked(version, ""), version)
        if version >= LISTS:
            a.call(api, asked(version, kafka.name("a"), kafka.name("b")), version)
            a.call(api, asked(version, kafka.name("a"), kafka.name("a")), version)
            a.call(api, asked(version), version)


@case
def transactions(kafka: Kafka) -> None:
    """A transactional id's coordinator."""
    a = kafka.connect()
    for version in range(1, 7):
        a.call(api, asked(version, kafka.name("id"), kind=1), version)


@case
def unknown_kinds_of_keys(kafka: Kafka) -> None:
    """Kinds that there are not."""
    a = kafka.connect()
    for version in range(1, 7):
        for kind in 3, -1, 127:
            a.call(api, asked(version, kafka.name("key"), kind=kind), version)


@case
def share_groups(kafka: Kafka) -> None:
    """A share group's coordinator: keys that are such, and some that are not."""
    a = kafka.connect()
    for version in 1, 5, 6:
        for key in "group", "group:topic:0", "":
            a.call(api, asked(version, key, kind=2), version)
