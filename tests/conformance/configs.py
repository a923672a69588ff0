"""Requests about configs, short enough for cases."""

from __future__ import annotations

from typing import Any

from conformance.scenario import Connection
from fleuve.wire.generated import alter_configs, describe_configs, incremental_alter_configs

TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)

Resource = tuple[int, str]
Change = tuple[str, int, str | None]
"""A name, what to do with it, and a value."""


def describe_request(*resources: Resource, keys: list[str] | None = None, **fields: Any) -> Any:
    """Return a request to describe resources, all of them with these keys."""
    return describe_configs.DescribeConfigsRequest(
        resources=[
            describe_configs.DescribeConfigsResource(resource_type=kind, resource_name=name, configuration_keys=keys)
            for kind, name in resources
        ],
        **fields,
    )


def describe(a: Connection, version: int, *resources: Resource, **fields: Any) -> Any:
    """Describe resources."""
    return a.call(describe_configs, describe_request(*resources, **fields), version)


def shows(a: Connection, resource: Resource, expected: dict[str, str | None], *others: str) -> Any:
    """Describe until settings have these values: Kafka takes a moment to see a change."""

    def as_expected(answer: Any) -> bool:
        values = {entry.name: entry.value for entry in answer.results[0].configs or ()}
        return all(values[name] == value for name, value in expected.items())

    asked = describe_request(resource, keys=[*expected, *others], include_synonyms=True)
    return a.until(describe_configs, asked, 4, as_expected)


def change(a: Connection, version: int, *resources: tuple[Resource, list[Change]], validate_only: bool = False) -> Any:
    """Change settings one by one."""
    request = incremental_alter_configs.IncrementalAlterConfigsRequest(
        resources=[
            incremental_alter_configs.AlterConfigsResource(
                resource_type=kind,
                resource_name=name,
                configs=[
                    incremental_alter_configs.AlterableConfig(name=key, config_operation=operation, value=value)
                    for key, operation, value in changes
                ],
            )
            for (kind, name), changes in resources
        ],
        validate_only=validate_only,
    )
    return a.call(incremental_alter_configs, request, version)


def replace(
    a: Connection,
    version: int,
    *resources: tuple[Resource, list[tuple[str, str | None]]],
    validate_only: bool = False,
) -> Any:
    """Replace all settings of resources."""
    request = alter_configs.AlterConfigsRequest(
        resources=[
            alter_configs.AlterConfigsResource(
                resource_type=kind,
                resource_name=name,
                configs=[alter_configs.AlterableConfig(name=key, value=value) for key, value in values],
            )
            for (kind, name), values in resources
        ],
        validate_only=validate_only,
    )
    return a.call(alter_configs, request, version)
