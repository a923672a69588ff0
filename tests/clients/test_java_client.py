"""Apache Kafka's own client does everything that it can do with a broker."""

from __future__ import annotations

import pytest

from clients.programs import JavaDriver
from clients.scenarios import ClientScenarios


@pytest.mark.compat
class TestJavaClient(ClientScenarios):
    make_driver = JavaDriver
