"""@platformatic/kafka does everything that it can do with a broker."""

from __future__ import annotations

import pytest

from clients.programs import PlatformaticKafkaDriver
from clients.scenarios import ClientScenarios


@pytest.mark.compat
class TestPlatformaticKafka(ClientScenarios):
    make_driver = PlatformaticKafkaDriver
