"""kafkajs does everything that it can do with a broker."""

from __future__ import annotations

import pytest

from clients.programs import KafkajsDriver
from clients.scenarios import ClientScenarios


@pytest.mark.compat
class TestKafkajs(ClientScenarios):
    make_driver = KafkajsDriver
