"""Messages: appended, and read in pages."""

from __future__ import annotations

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.web.operation import answered
from caucus.web.routes.serving import Serving, serves
from caucus.wire.jsontext import NULL
from caucus.wire.operations import APPEND, READ_SINCE


@serves(APPEND)
async def append(on: Serving, request: Request, channel: str) -> Response:
    return answered(APPEND, await on.once(request, APPEND, channel, request.value))


@serves(READ_SINCE)
async def read_since(on: Serving, request: Request, channel: str) -> Response:
    fields = request.value
    cursor, limit, wait = fields.get("cursor", NULL), fields.get("limit"), fields.get("wait")
    if wait is None:
        return answered(READ_SINCE, await on.backbone.read_since(channel, cursor, limit))
    request.is_awaited = bool(wait)
    return answered(READ_SINCE, await on.backbone.read_since(channel, cursor, limit, wait))
