"""Every version of every API that Fleuve advertises is in the recordings, with an answer."""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module

import pytest

from conformance.recording import RECORDINGS, read
from fleuve.kafka import handlers


def advertised():
    modules = [
        import_module(f"fleuve.kafka.handlers.{found.name}") for found in pkgutil.iter_modules(handlers.__path__)
    ]
    return sorted((module.API for module in modules), key=lambda api: api.key)


@cache
def recorded():
    """Return (API, version) of all requests that were answered, or that ask for no answer."""
    found = set()
    for path in RECORDINGS.glob("*.txt"):
        for case in read(path):
            found |= {(event.api, event.version) for event in case.events if event.api}
    return found


@pytest.mark.parametrize("api", advertised(), ids=lambda api: api.name)
def test_every_version_was_asked_of_kafka(api):
    wanted = range(api.version_min, api.version_max + 1)
    missing = [version for version in wanted if (api.name, version) not in recorded()]
    assert missing == []
