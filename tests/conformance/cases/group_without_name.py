"""The empty group id: one for consumers that assign themselves, from times when they needed none."""

from __future__ import annotations

from conformance.groups import Group, commit_request
from conformance.scenario import Kafka, case, versions
from fleuve.wire.generated import (
    delete_groups,
    describe_groups,
    list_groups,
    offset_commit,
    offset_delete,
    offset_fetch,
)

ALONE = True
"""There is only one such group."""


@case
def a_group_without_a_name(kafka: Kafka) -> None:
    """It commits and fetches, is described and listed, and can be deleted."""
    topic = kafka.topic()
    Group(kafka)
    a = kafka.connect()
    for version in versions(offset_commit):
        a.call(offset_commit, commit_request("", topic, (0, version), version=version), version)
        for generation in 0, 1:
            request = commit_request("", topic, (0, 1), version=version, generation_id_or_member_epoch=generation)
            a.call(offset_commit, request, version)
        wanted = offset_fetch.OffsetFetchRequestTopic(name=topic.name, partition_indexes=[0])
        a.call(offset_fetch, offset_fetch.OffsetFetchRequest(topics=[wanted]), 7)
    for version in versions(describe_groups):
        a.call(describe_groups, describe_groups.DescribeGroupsRequest(groups=[""]), version)
    for version in versions(list_groups):
        a.call(list_groups, list_groups.ListGroupsRequest(), version)
    named = offset_delete.OffsetDeleteRequestTopic(
        name=topic.name, partitions=[offset_delete.OffsetDeleteRequestPartition()]
    )
    a.call(offset_delete, offset_delete.OffsetDeleteRequest(topics=[named]), 0)
    for version in versions(delete_groups):
        a.call(delete_groups, delete_groups.DeleteGroupsRequest(groups_names=[""]), version)
    a.call(list_groups, list_groups.ListGroupsRequest(), 5)
