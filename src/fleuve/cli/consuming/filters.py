"""Which records are shown: by key, by header, by content. They look at bytes; nothing has to be text."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence

from confluent_kafka import Message

from fleuve.app.options import UsageError
from fleuve.cli.consuming.headers import headers_of

Filter = Callable[[Message], bool]


def filters(*, keys: Sequence[str], headers: Sequence[str], contents: Sequence[str]) -> list[Filter]:
    """Return what a record must pass, all of it: one of `keys`, each of `headers`, each of `contents`.

    Raises UsageError for a regular expression that is none.
    """
    found: list[Filter] = []
    if keys:
        found.append(_by_key([_glob(key) for key in keys]))
    for header in headers:
        name, equals, value = header.partition("=")
        found.append(_by_header(name, _glob(value) if equals else None))
    for content in contents:
        try:
            pattern = re.compile(content.encode("utf-8", "surrogateescape"))
        except re.error as error:
            raise UsageError(f"--grep: {content!r} is not a regular expression: {error}") from None
        found.append(_by_content(pattern))
    return found


def _glob(text: str) -> re.Pattern[bytes]:
    return re.compile(fnmatch.translate(text).encode("utf-8", "surrogateescape"))


def _by_key(patterns: Sequence[re.Pattern[bytes]]) -> Filter:
    def passes(message: Message) -> bool:
        key = message.key()
        return key is not None and any(pattern.match(key) for pattern in patterns)

    return passes


def _by_header(wanted: str, pattern: re.Pattern[bytes] | None) -> Filter:
    def passes(message: Message) -> bool:
        return any(
            name == wanted and (pattern is None or (value is not None and pattern.match(value) is not None))
            for name, value in headers_of(message)
        )

    return passes


def _by_content(pattern: re.Pattern[bytes]) -> Filter:
    def passes(message: Message) -> bool:
        value = message.value()
        return value is not None and pattern.search(value) is not None

    return passes
