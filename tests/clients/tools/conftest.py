"""Apache Kafka's command-line tools; `FLEUVE_TEST_BOOTSTRAP` names another broker for them, as it does for clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("clients.tools.toolbox")

from clients import jvm, results  # noqa: E402
from clients.programs import JavaDriver  # noqa: E402
from clients.tools.toolbox import Toolbox  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs Java."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.compat)


@pytest.fixture(autouse=True)
def told(request: pytest.FixtureRequest) -> None:
    """Tell which tools the test calls, for the table of clients."""
    told = {"name": request.module.TOOLS, "version": jvm.kafka()["VERSION"]}
    request.node.user_properties.append((results.TOOL, told))


@pytest.fixture(scope="session")
def tools(bootstrap: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Toolbox]:
    """Every tool, for the broker that all tests share."""
    with Toolbox(bootstrap, tmp_path_factory.mktemp("tools") / "stderr.log") as toolbox:
        yield toolbox


@pytest.fixture(scope="session")
def driver(bootstrap: str) -> Iterator[JavaDriver]:
    """The Java client, for what the tools themselves cannot do."""
    driver = JavaDriver(bootstrap)
    yield driver
    driver.close()
