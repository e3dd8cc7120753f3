"""The live stream: where it begins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import InvalidCursor, InvalidRequest
from caucus.web.routes.serving import Serving, serves
from caucus.web.stream import HEADERS
from caucus.wire.operations import STREAM

MAX_SAFE_INTEGER: Final = 2**53 - 1
_DIGITS = re.compile(rb"0*([0-9]{1,16})")


@serves(STREAM)
async def stream(on: Serving, request: Request, channel: str) -> Response:
    resumed = request.values(b"last-event-id")
    since = None if resumed else _since(request.args)
    head = await on.backbone.subscribe(channel)
    start, comment = head, "from the head on"
    if resumed:
        start, comment = _resume(resumed[0], head)
    elif since is not None:
        if since > head:
            raise InvalidCursor(f"The cursor must be an integer from 0 to the head, which is {head}.")
        start, comment = since, f"from {since} on"
    live = on.streams.stream(channel, start, head, comment)
    return Response(STREAM.status, live, HEADERS, STREAM.answer.content_type)


def _since(arguments: Mapping[bytes, Sequence[bytes]]) -> int | None:
    """The first ``since`` of a query, if there is one: ASCII digits, at most 2^53-1."""
    given = arguments.get(b"since")
    if given is None:
        return None
    since = _number(given[0])
    if since is None or since > MAX_SAFE_INTEGER:
        raise InvalidRequest("since must be digits, at most 9007199254740991.")
    return since


def _number(digits: bytes) -> int | None:
    """What ASCII digits say, if that has at most 16 of them beside zeros in front."""
    found = _DIGITS.fullmatch(digits)
    return int(found[1]) if found else None


def _resume(last_event_id: bytes, head: int) -> tuple[int, str]:
    """Where a reader that comes back goes on. Any answer but 200 would end an ``EventSource`` for ever."""
    last = _number(last_event_id)
    if last is not None and last <= head:
        return last, f"resumed from {last} on"
    return 0, "the last event is not known here; from 0 on"
