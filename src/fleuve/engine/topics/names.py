"""Names that topics may have, and names and ids that are reserved. Pure."""

from __future__ import annotations

import re
from uuid import UUID

from fleuve.engine.topics.errors import InvalidTopicName

TOPIC_NAME_LENGTH_MAX = 249
"""Kafka's bound: a directory `<name>-<partition>` must fit into 255 bytes."""

CONSUMER_OFFSETS = "__consumer_offsets"
CLUSTER_METADATA = "__cluster_metadata"
"""KRaft's own log. It exists in no Fleuve cluster, and must not be taken by a topic that tools would misread."""

INTERNAL_NAMES = frozenset({CONSUMER_OFFSETS, "__transaction_state", "__share_group_state"})
"""Topics that Kafka marks internal, whoever created them."""

RESERVED_IDS = frozenset({UUID(int=0), UUID(int=1)})
"""KIP-516: "none", and the id of the cluster metadata topic."""

_LEGAL = re.compile(r"[a-zA-Z0-9._-]+")


def check_name(name: str) -> None:
    """Raise InvalidTopicName unless `name` is one that Kafka allows; the message is Kafka's."""
    if not name:
        wrong = "the empty string is not allowed"
    elif name in {".", ".."}:
        wrong = f"'{name}' is not allowed"
    elif len(name) > TOPIC_NAME_LENGTH_MAX:
        wrong = f"the length of '{name}' is longer than the max allowed length {TOPIC_NAME_LENGTH_MAX}"
    elif _LEGAL.fullmatch(name) is None:
        wrong = f"'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'"
    else:
        return
    raise InvalidTopicName(f"Topic name is invalid: {wrong}")


def collision_key(name: str) -> str:
    """Return what two colliding names have in common."""
    return name.replace(".", "_")
