"""What a handler is: its API, the context that it gets with each request, and its type.

A handler file has `API = Api(...)` and a class or factory that makes a `Handle`. The app joins the two in a
table (`fleuve.kafka.table`); nothing is registered by importing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from fleuve.engine.access.service import (
    ANONYMOUS,
    CLUSTER_NAME,
    OPERATIONS,
    AllowAll,
    Authorizer,
    Operation,
    Principal,
    ResourceType,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """One Kafka API as this broker serves it.

    `version_min` and `version_max` are what ApiVersions advertises. `served_min` is the lowest version that is
    really served, where that differs (Produce, see KAFKA-18659).
    """

    key: int
    name: str
    version_min: int
    version_max: int
    codec: Any
    """The API's module of `fleuve.wire.generated`: KEY, FLEXIBLE, `decode_request`, `encode_response`."""
    served_min: int | None = None

    def serves(self, version: int) -> bool:
        """Return whether requests of `version` are answered."""
        served_min = self.version_min if self.served_min is None else self.served_min
        return served_min <= version <= self.version_max


@dataclass(slots=True, kw_only=True)
class RequestContext:
    """What a handler knows of a request besides the message itself."""

    api_version: int
    connection_id: int = 0
    """Unique within this run of the broker."""
    listener: str = "PLAINTEXT"
    """Name of the listener that the connection came through."""
    advertised: tuple[str, int] = ("localhost", 9092)
    """Host and port by which clients of this listener reach this broker: for Metadata, FindCoordinator, …"""
    client_id: str | None = None
    """As the request's header has it."""
    host: str = "127.0.0.1"
    """The client's address."""
    takes_answers: bool = False
    """Whether the client has taken large answers before, and has none to take now."""
    principal: Principal = ANONYMOUS
    client_software_name: str = "unknown"
    client_software_version: str = "unknown"
    authorizer: Authorizer = field(default_factory=AllowAll)

    def authorize(self, operation: Operation, resource_type: ResourceType, name: str) -> bool:
        """Return whether the client may do `operation` to that resource."""
        return self.authorizer.authorize(self.principal, self.host, operation, resource_type, name)

    def authorize_cluster(self, operation: Operation) -> bool:
        """Return whether the client may do `operation` to the cluster."""
        return self.authorize(operation, ResourceType.CLUSTER, CLUSTER_NAME)

    def authorized_operations(self, resource_type: ResourceType, name: str) -> int:
        """Return the operations that the client may do to that resource, as Kafka's bit field."""
        bits = 0
        for operation in OPERATIONS[resource_type]:
            if self.authorize(operation, resource_type, name):
                bits |= 1 << operation
        return bits


Handle = Callable[[Any, RequestContext], Awaitable[Any]]
"""`await handle(request, context)` returns the response message.

It raises `FleuveError` only where the response has no place for an error: then the connection is closed.
"""
