"""Kafka's error codes for what is wrong with configs."""

from __future__ import annotations

from fleuve.base.errors import FleuveError
from fleuve.base.setting import InvalidConfig
from fleuve.engine.topics.config_changes import InvalidConfigRequest
from fleuve.wire.errors import ErrorCode

CODES: dict[type[FleuveError], ErrorCode] = {
    InvalidConfig: ErrorCode.INVALID_CONFIG,
    InvalidConfigRequest: ErrorCode.INVALID_REQUEST,
}
