"""kafka-python does everything that it can do with a broker."""

from __future__ import annotations

from clients.kafka_python import KafkaPythonDriver
from clients.scenarios import ClientScenarios


class TestKafkaPython(ClientScenarios):
    make_driver = KafkaPythonDriver
