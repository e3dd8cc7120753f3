"""Messages: appended, read in pages, and looked at one by one."""

from __future__ import annotations

import re
from collections.abc import Coroutine
from typing import Any, Final, cast

from twisted.internet.defer import Deferred

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import NotFound
from caucus.interfaces import IInbox
from caucus.model.records import Appended, Page
from caucus.web.operation import answered
from caucus.web.routes.serving import Serving, is_here, serves
from caucus.wire.following import GET_MESSAGE
from caucus.wire.jsontext import NULL
from caucus.wire.operations import APPEND, READ_SINCE

_CURSOR: Final = re.compile("[1-9][0-9]{0,14}")


@serves(APPEND)
def append(on: Serving, request: Request, channel: str) -> Deferred[Appended]:
    return on.once(request, APPEND, channel, request.value)


@serves(READ_SINCE)
def read_since(
    on: Serving, request: Request, channel: str
) -> Response | Coroutine[Deferred[Page], Any, Response]:
    fields = request.value
    cursor, limit, wait = fields.get("cursor", NULL), fields.get("limit"), fields.get("wait")
    # No local holds what is read: a refusal's traceback has this frame, and so it would hold itself.
    if wait is None:
        return _read(on, request, channel, on.backbone.read_since(channel, cursor, limit))
    request.is_awaited = bool(wait)
    return _read_later(on, request, channel, on.backbone.read_since(channel, cursor, limit, wait))


def _read(
    on: Serving, request: Request, channel: str, reading: Deferred[Page]
) -> Response | Coroutine[Deferred[Page], Any, Response]:
    if is_here(reading):
        return _page(on, request, channel, cast("Page", reading.result))
    return _read_later(on, request, channel, reading)


async def _read_later(on: Serving, request: Request, channel: str, reading: Deferred[Page]) -> Response:
    return _page(on, request, channel, await reading)


def _page(on: Serving, request: Request, channel: str, page: Page) -> Response:
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
