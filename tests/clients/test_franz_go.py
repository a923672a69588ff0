"""franz-go does everything that it can do with a broker."""

from __future__ import annotations

import pytest

from clients.programs import FranzGoDriver
from clients.scenarios import ClientScenarios


@pytest.mark.compat
class TestFranzGo(ClientScenarios):
    make_driver = FranzGoDriver

    @pytest.mark.parametrize("assignor", ["range", "sticky"])
    def test_a_group_goes_on_with_another_assignor(self, driver, topic, group, assignor):
        self.rebalance(driver, topic, group, {"assignor": assignor})
