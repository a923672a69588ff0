"""Serves one request of the slow lane: decode, handle, encode. (Produce has its own path in `connection.py`.)

What goes wrong has one of three outcomes: a client's fault raises DecodeError (its connection goes); a fault of the
broker is logged with its traceback, told to the client as UNKNOWN_SERVER_ERROR if the answer has a place for it; if it
has none, `Unanswerable` is raised, and the connection goes, too.
"""

from __future__ import annotations

import traceback
from typing import Any

from fleuve.base.errors import FleuveError, Verdict
from fleuve.base.log import Logger
from fleuve.kafka.api import RequestContext
from fleuve.kafka.codes import code_of
from fleuve.kafka.error_counts import count_errors
from fleuve.kafka.stats import KafkaStats
from fleuve.kafka.table import Route
from fleuve.wire.errors import DecodeError, ErrorCode
from fleuve.wire.message import Buffer


class Unanswerable(FleuveError, verdict=Verdict.REJECT):
    """A request failed, and its answer has no place to say so."""


async def respond(
    route: Route,
    view: memoryview,
    position: int,
    context: RequestContext,
    *,
    stats: KafkaStats,
    logger: Logger,
) -> list[Buffer]:
    """Return the body of the answer to the request whose body starts at `position`.

    Raises DecodeError and Unanswerable.
    """
    version = context.api_version
    assert route.handle is not None
    try:
        request = route.decode(view, position, version)
        response = await route.handle(request, context)
    except DecodeError:
        raise
    except FleuveError as error:
        response = _failure(route, code_of(error))
        if response is None:
            raise Unanswerable(f"{route.api.name}: {error}") from error
    except Exception as error:
        log_bug(logger, f"{route.api.name} v{version}", context.host, context.client_id, error)
        response = _failure(route, ErrorCode.UNKNOWN_SERVER_ERROR)
        if response is None:
            raise Unanswerable(f"{route.api.name} failed") from error
    # Fetch, the one API that is encoded in parts, counts its partitions' errors itself.
    count_errors(stats, route.api.name, route.api.codec, response, nested=route.encode_parts is None)
    try:
        if route.encode_parts is not None:
            parts: list[Buffer] = route.encode_parts(response, version)
            return parts
        return [route.encode(response, version)]
    except Exception as error:
        log_bug(logger, f"{route.api.name} v{version}", context.host, context.client_id, error)
        raise Unanswerable(f"{route.api.name}: the answer could not be written") from error


def log_bug(logger: Logger, where: str, address: str, client_id: str | None, error: BaseException) -> None:
    """Log an error of our own, with its traceback."""
    logger.error(
        "request failed",
        where=where,
        address=address,
        client_id=client_id,
        error="".join(traceback.format_exception(error)),
    )


def _failure(route: Route, code: ErrorCode) -> Any:
    """Return a response that says nothing but `code`; None if this API's responses have no place for that."""
    response_class = getattr(route.api.codec, f"{route.api.name}Response")
    if "error_code" not in response_class.__slots__:
        return None
    return response_class(error_code=int(code))
