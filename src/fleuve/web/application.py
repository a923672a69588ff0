"""The routes of the HTTP port.

Imported with the first connection, not with the broker: see `fleuve.web.service`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from fleuve.base.log import Logger
from fleuve.base.metric import MetricSource
from fleuve.web.health import Check, Health, judge
from fleuve.web.metrics import render, snapshot

Sources = Callable[[], Iterable[MetricSource]]

REFRESH_TIMEOUT_S = 2.0
"""What a metric's source may take to look something up; then the last values are shown."""


def make_application(metrics: Sources, health: Health, log: Logger) -> Starlette:
    """Return the application that serves `/metrics`, `/livez` and `/readyz`."""
    scrape = _Scrape(metrics, log)

    async def live(_: Request) -> Response:
        return _judged(health.live)

    async def ready(_: Request) -> Response:
        return _judged(health.ready)

    return Starlette(
        routes=[Route("/metrics", scrape), Route("/livez", live), Route("/readyz", ready)],
        exception_handlers={HTTPException: _refused},
    )


def _judged(checks: Mapping[str, Check]) -> Response:
    is_well, parts = judge(checks)
    body = {"status": "ok" if is_well else "failing", "parts": parts}
    return JSONResponse(body, status_code=200 if is_well else 503, headers={"cache-control": "no-store"})


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body = {"error": error.detail, "path": request.url.path}
    return JSONResponse(body, status_code=error.status_code, headers=error.headers)


class _Scrape:
    """`/metrics`. Scrapes that come together are made one after the other: there is one set of numbers."""

    def __init__(self, metrics: Sources, log: Logger) -> None:
        self._metrics = metrics
        self._log = log
        self._lock = asyncio.Lock()

    # Starlette takes an instance for an ASGI application, which is what this is.
    async def __call__(self, scope: object, receive: object, send: object) -> None:
        request = Request(scope, receive, send)  # type: ignore[arg-type]
        async with self._lock:
            sources = list(self._metrics())
            for source in sources:
                await self._refresh(source)
            sampled = snapshot(sources)
            text, content_type = await asyncio.to_thread(render, sampled, request.headers.get("accept", ""))
        await Response(text, media_type=None, headers={"content-type": content_type})(
            scope,  # type: ignore[arg-type]
            receive,  # type: ignore[arg-type]
            send,  # type: ignore[arg-type]
        )

    async def _refresh(self, source: MetricSource) -> None:
        if source.refresh is None:
            return
        try:
            async with asyncio.timeout(REFRESH_TIMEOUT_S):
                await source.refresh()
        except Exception as error:  # One room's trouble must not hide the others' numbers.
            name = source.metrics[0].name if source.metrics else ""
            self._log.warning("metrics are stale", first_metric=name, error=repr(error))
