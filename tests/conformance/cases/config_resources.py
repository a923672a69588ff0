"""ListConfigResources, and resources of other kinds: loggers and client metrics."""

from __future__ import annotations

from conformance.configs import APPEND, BROKER_LOGGER, CLIENT_METRICS, DELETE, SET, SUBTRACT, change, describe, replace
from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import alter_configs, describe_configs, incremental_alter_configs, list_config_resources


@case
def resources_that_are_listed(kafka: Kafka) -> None:
    """By type: one, several, unknown ones; all without one."""
    kafka.topic()
    a = kafka.connect()
    a.call(list_config_resources, list_config_resources.ListConfigResourcesRequest(), 0)
    for types in [], [2], [4], [8], [16], [32], [2, 2], [2, 32, 16], [0], [1], [2, 3], [127], [-1]:
        request = list_config_resources.ListConfigResourcesRequest(resource_types=types)
        a.call(list_config_resources, request, 1)


@case
def loggers(kafka: Kafka) -> None:
    """Of a broker that is not there, of none, and loggers that there are not."""
    a = kafka.connect()
    for version in versions(describe_configs):
        for name in "", "2", "x", "-1":
            describe(a, version, (BROKER_LOGGER, name), keys=["nonsense"])
        describe(a, version, (BROKER_LOGGER, "1"), keys=["nonsense"])
    for version in versions(incremental_alter_configs):
        for name in "", "2", "x":
            change(a, version, ((BROKER_LOGGER, name), [("nonsense", SET, "INFO")]))
        for operation in SET, DELETE, APPEND, SUBTRACT:
            for value in "INFO", "nonsense", None:
                change(a, version, ((BROKER_LOGGER, "1"), [("nonsense", operation, value)]))
        change(a, version, ((BROKER_LOGGER, "1"), []))
    for version in versions(alter_configs):
        replace(a, version, ((BROKER_LOGGER, "1"), [("nonsense", "INFO")]))
        replace(a, version, ((BROKER_LOGGER, "1"), []))


@case
def client_metrics(kafka: Kafka) -> None:
    """Subscriptions to clients' metrics."""
    a = kafka.connect()
    resource = (CLIENT_METRICS, kafka.name("m"))
    for version in versions(describe_configs):
        describe(a, version, resource)
        describe(a, version, (CLIENT_METRICS, ""))
    for version in versions(incremental_alter_configs):
        change(a, version, (resource, [("interval.ms", SET, "1000")]), validate_only=True)
        change(a, version, (resource, [("nonsense", SET, "1000")]))
        change(a, version, ((CLIENT_METRICS, ""), [("interval.ms", SET, "1000")]))
    for version in versions(alter_configs):
        replace(a, version, (resource, [("interval.ms", "1000")]), validate_only=True)
