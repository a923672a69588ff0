"""Counts the error codes in an answer, wherever its schema has one: the answer, a topic, a partition, a group, …

Which fields lead to error codes is found once for each API, from the generated classes; an answer is then walked along
those alone. Produce and Fetch, whose answers are many, count where they set a code.
"""

from __future__ import annotations

import re
from functools import cache
from types import ModuleType
from typing import Any, Final

from fleuve.kafka.stats import KafkaStats
from fleuve.wire.message import Message

_LIST: Final = re.compile(r"list\[(\w+)\]")

_Paths = tuple[bool, tuple[tuple[str, Any], ...]]
"""Whether a structure has an error code, and its arrays whose elements have some, each with theirs."""


def count_errors(stats: KafkaStats, api: str, codec: ModuleType, response: Message, *, nested: bool = True) -> None:
    """Count the error codes of `response`, an answer of `api`; only its own if not `nested`."""
    response_class: Any = type(response)
    paths = _paths(codec, response_class)
    _count(stats, api, response, paths if nested else (paths[0], ()))


def _count(stats: KafkaStats, api: str, message: Any, paths: _Paths) -> None:
    has_code, arrays = paths
    if has_code and message.error_code:
        stats.error(api, message.error_code)
    for name, element_paths in arrays:
        for element in getattr(message, name) or ():
            _count(stats, api, element, element_paths)


@cache
def _paths(codec: ModuleType, of: type[Any]) -> _Paths:
    arrays = []
    for name, annotation in of.__init__.__annotations__.items():
        array = _LIST.match(str(annotation))
        element = getattr(codec, array[1], None) if array else None
        if element is not None:
            paths = _paths(codec, element)
            if paths[0] or paths[1]:
                arrays.append((name, paths))
    return "error_code" in of.__slots__, tuple(arrays)
