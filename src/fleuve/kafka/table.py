"""The APIs that this broker has: which handler serves which, made once at start, explicitly.

    table = Table([(metadata.API, metadata.Handler(...)), ...], produce=produce.Handler(...))

ApiVersions is computed from what is in the table, so the two cannot disagree. Produce stands apart: it is the one API
whose requests of one connection overlap, and its handler is synchronous (see `handlers/produce.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fleuve.kafka.api import Api, Handle
from fleuve.kafka.handlers import api_versions, produce
from fleuve.kafka.stats import ApiStats, KafkaStats


class Route:
    """An API, its handler, and what the connection needs of both, looked up once."""

    __slots__ = ("api", "decode", "encode", "encode_parts", "flexible", "handle", "stats")

    def __init__(self, api: Api, handle: Handle | None, stats: ApiStats) -> None:
        self.api = api
        self.handle = handle
        """None for Produce."""
        self.stats = stats
        self.flexible: int = api.codec.FLEXIBLE
        self.decode: Any = api.codec.decode_request
        self.encode: Any = api.codec.encode_response
        self.encode_parts: Any = getattr(api.codec, "encode_response_parts", None)

    def has_flexible_header(self, version: int) -> bool:
        """Return whether a response of `version` has header v1. ApiVersions never has (KIP-511)."""
        return version >= self.flexible and self.api.key != api_versions.API.key


class Table:
    """All routes, by API key."""

    __slots__ = ("apis", "produce", "produce_route", "routes", "stats")

    def __init__(
        self,
        handlers: Iterable[tuple[Api, Handle]],
        *,
        produce_handler: produce.Handler | None = None,
        stats: KafkaStats | None = None,
    ) -> None:
        """Join APIs and handlers; ApiVersions comes by itself. Raises ValueError if an API is given twice."""
        self.stats = KafkaStats() if stats is None else stats
        self.routes: dict[int, Route] = {}
        self.produce = produce_handler
        for api, handle in handlers:
            self._add(api, handle)
        self.produce_route: Route | None = None
        if produce_handler is not None:
            self._add(produce.API, None)
            self.produce_route = self.routes[produce.API.key]
        apis = [route.api for route in self.routes.values()]
        self.apis: tuple[Api, ...] = tuple(sorted((*apis, api_versions.API), key=lambda api: api.key))
        self._add(api_versions.API, api_versions.Handler(self.apis))

    def _add(self, api: Api, handle: Handle | None) -> None:
        if api.key in self.routes:
            raise ValueError(f"{api.name} is in the table twice")
        self.routes[api.key] = Route(api, handle, self.stats.api(api.name))
