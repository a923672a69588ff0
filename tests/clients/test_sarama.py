"""sarama does everything that it can do with a broker."""

from __future__ import annotations

import pytest

from clients.programs import SaramaDriver
from clients.scenarios import ClientScenarios


@pytest.mark.compat
class TestSarama(ClientScenarios):
    make_driver = SaramaDriver

    @pytest.mark.parametrize("assignor", ["sticky", "cooperative-sticky"])
    def test_a_group_goes_on_with_another_assignor(self, driver, topic, group, assignor):
        self.rebalance(driver, topic, group, {"assignor": assignor})
