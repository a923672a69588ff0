"""Kafka's error codes for what is wrong with requests about topics and configs."""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.base.setting import InvalidConfig
from fleuve.engine.topics import errors as topics
from fleuve.engine.topics.config_changes import InvalidConfigRequest
from fleuve.wire.errors import ErrorCode

CODES: dict[type[FleuveError], ErrorCode] = {
    topics.InvalidTopicName: ErrorCode.INVALID_TOPIC_EXCEPTION,
    topics.TopicExists: ErrorCode.TOPIC_ALREADY_EXISTS,
    topics.UnknownTopic: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
    topics.UnknownTopicId: ErrorCode.UNKNOWN_TOPIC_ID,
    topics.InvalidPartitions: ErrorCode.INVALID_PARTITIONS,
    topics.InvalidReplicationFactor: ErrorCode.INVALID_REPLICATION_FACTOR,
    topics.InvalidReplicaAssignment: ErrorCode.INVALID_REPLICA_ASSIGNMENT,
    topics.InvalidTopicRequest: ErrorCode.INVALID_REQUEST,
    topics.TooManyPartitions: ErrorCode.POLICY_VIOLATION,
    topics.TopicDeletionDisabled: ErrorCode.TOPIC_DELETION_DISABLED,
    InvalidConfig: ErrorCode.INVALID_CONFIG,
    InvalidConfigRequest: ErrorCode.INVALID_REQUEST,
}
