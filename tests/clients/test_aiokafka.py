"""aiokafka does everything that it can do with a broker."""

from __future__ import annotations

from clients.aio import AioDriver
from clients.scenarios import ClientScenarios


class TestAio(ClientScenarios):
    make_driver = AioDriver
