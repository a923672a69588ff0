"""Calls a handler as a connection does: through the codec, at a version."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from fleuve.engine.access.service import Operation, Principal, ResourceType
from fleuve.kafka.api import Api, Handle, RequestContext


class Only:
    """An authorizer that allows what it was told, and nothing else."""

    def __init__(self, *allowed: tuple[Operation, ResourceType, str]) -> None:
        self.allowed: Collection[tuple[Operation, ResourceType, str]] = set(allowed)

    def authorize(
        self, principal: Principal, host: str, operation: Operation, resource_type: ResourceType, name: str
    ) -> bool:
        del principal, host
        return (operation, resource_type, name) in self.allowed


async def call(api: Api, handler: Handle, request: Any, version: int | None = None, **context: Any) -> Any:
    """Return the response as a client reads it; by default at the latest version."""
    at = api.version_max if version is None else version
    assert api.serves(at)
    sent = api.codec.encode_request(request, at)
    received = api.codec.decode_request(memoryview(sent), 0, at)
    response = await handler(received, RequestContext(api_version=at, **context))
    return api.codec.decode_response(memoryview(api.codec.encode_response(response, at)), 0, at)
