"""Messages: appended, read in pages, and looked at one by one."""

from __future__ import annotations

import re
from typing import Final

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import NotFound
from caucus.interfaces import IInbox
from caucus.web.operation import answered
from caucus.web.routes.serving import Serving, serves
from caucus.wire.following import GET_MESSAGE
from caucus.wire.jsontext import NULL
from caucus.wire.operations import APPEND, READ_SINCE

_CURSOR: Final = re.compile("[1-9][0-9]{0,14}")


@serves(APPEND)
async def append(on: Serving, request: Request, channel: str) -> Response:
    return answered(APPEND, await on.once(request, APPEND, channel, request.value))


@serves(READ_SINCE)
async def read_since(on: Serving, request: Request, channel: str) -> Response:
    fields = request.value
    cursor, limit, wait = fields.get("cursor", NULL), fields.get("limit"), fields.get("wait")
    if wait is None:
        page = await on.backbone.read_since(channel, cursor, limit)
    else:
        request.is_awaited = bool(wait)
        page = await on.backbone.read_since(channel, cursor, limit, wait)
    if page.messages_json:
        on.showed(request, channel, page.cursor - len(page.messages_json), page.cursor)
    return answered(READ_SINCE, page)


@serves(GET_MESSAGE)
async def get_message(on: Serving, request: Request, channel: str, cursor: str) -> Response:
    inbox = IInbox(on.backbone, None)
    if inbox is None:
        raise NotFound
    at = int(cursor) if _CURSOR.fullmatch(cursor) else 0
    await inbox.get_message(channel, at)  # that there is one
    on.showed(request, channel, at - 1, at)
    return answered(GET_MESSAGE, await inbox.get_message(channel, at))
