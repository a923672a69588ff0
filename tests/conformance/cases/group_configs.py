"""Settings of groups, which have them whether they are there or not."""

from __future__ import annotations

from conformance.configs import APPEND, DELETE, GROUP, SET, Change, change, describe, replace, shows
from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import alter_configs, describe_configs, incremental_alter_configs, list_config_resources

VALUES = [
    "", " ", "many", "-1", "0", "1", "4999", "5000", " 15000 ", "1.5", "60000", "60001", "3000", "2147483648",
    "earliest", "EARLIEST", "latest", "by_duration:PT1H", "by_duration:1", "read_committed", "READ_UNCOMMITTED", "true",
]  # fmt: skip


@case
def all_settings_of_a_group(kafka: Kafka) -> None:
    """Names, values, types and sources, in every version."""
    a = kafka.connect()
    for version in versions(describe_configs):
        describe(a, version, (GROUP, kafka.name("g")))
        describe(a, version, (GROUP, ""))
        describe(a, version, (GROUP, kafka.name("g")), keys=["consumer.session.timeout.ms", "nonsense"])
    describe(a, 4, (GROUP, kafka.name("g")), include_synonyms=True, include_documentation=True)


@case
def values_of_every_setting(kafka: Kafka) -> None:
    """What each setting takes and does not take."""
    a = kafka.connect()
    resource = (GROUP, kafka.name("g"))
    known = describe(a, 4, resource).results[0].configs
    for entry in sorted(known, key=lambda entry: str(entry.name)):
        for value in VALUES:
            change(a, 1, (resource, [(entry.name, SET, value)]), validate_only=True)


@case
def a_setting_changes(kafka: Kafka) -> None:
    """Set, deleted and replaced, in every version, seen and listed."""
    a = kafka.connect()
    resource = (GROUP, kafka.name("g"))
    key = "consumer.session.timeout.ms"

    def listed() -> None:
        a.call(list_config_resources, list_config_resources.ListConfigResourcesRequest(resource_types=[GROUP]), 1)

    listed()
    for version in versions(incremental_alter_configs):
        ms = str(50_000 + version)
        change(a, version, (resource, [(key, SET, "46000")]), validate_only=True)
        change(a, version, (resource, [(key, SET, ms)]))
        shows(a, resource, {key: ms})
        listed()
        change(a, version, (resource, [(key, DELETE, None)]))
        shows(a, resource, {key: "45000"})
    for version in versions(alter_configs):
        ms = str(51_000 + version)
        replace(a, version, (resource, [(key, ms)]))
        shows(a, resource, {key: ms})
        replace(a, version, (resource, []))
        shows(a, resource, {key: "45000"})
    listed()


@case
def what_is_wrong_with_a_change(kafka: Kafka) -> None:
    """Unknown settings, an empty name, null, lists."""
    a = kafka.connect()
    resource = (GROUP, kafka.name("g"))
    key = "consumer.session.timeout.ms"
    lists: list[list[Change]] = [
        [("nonsense", SET, "1")], [("", SET, "1")], [(key, SET, None)], [(key, APPEND, "1")],
        [("nonsense", APPEND, "1")], [("nonsense", DELETE, None)], [(key, SET, "50000"), (key, SET, "50000")],
        [(key, SET, "50000"), ("nonsense", SET, "50000")], [("group.consumer.session.timeout.ms", SET, "50000")],
    ]  # fmt: skip
    for version in versions(incremental_alter_configs):
        for changes in lists:
            change(a, version, (resource, changes), validate_only=True)
        change(a, version, ((GROUP, ""), [(key, SET, "50000")]))
    for version in versions(alter_configs):
        replace(a, version, (resource, [("nonsense", "1")]))
        replace(a, version, (resource, [(key, None)]))
        replace(a, version, ((GROUP, ""), [(key, "50000")]))
