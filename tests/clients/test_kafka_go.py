"""kafka-go does everything that it can do with a broker."""

from __future__ import annotations

import pytest

from clients.programs import KafkaGoDriver
from clients.scenarios import ClientScenarios


@pytest.mark.compat
class TestKafkaGo(ClientScenarios):
    make_driver = KafkaGoDriver
