"""confluent-kafka does everything that it can do with a broker."""

from __future__ import annotations

from clients.confluent import ConfluentDriver
from clients.scenarios import ClientScenarios


class TestConfluent(ClientScenarios):
    make_driver = ConfluentDriver
