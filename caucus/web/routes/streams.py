"""The live stream: where it begins."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred, succeed

from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import InvalidCursor, InvalidRequest, StorageUnavailable
from caucus.web.routes.serving import Serving, serves
from caucus.web.streams import HEADERS
from caucus.wire.operations import STREAM

MAX_SAFE_INTEGER: Final = 2**53 - 1
_DIGITS = re.compile(rb"0*([0-9]{1,16})")


@serves(STREAM)
async def stream(on: Serving, request: Request, channel: str) -> Response:
    request.principal = on.speaker(request)
    resumed = request.values(b"last-event-id")
    since = None if resumed else _since(request.args)
    if resumed and on.streams.knows(channel):
        finding = on.once_known(partial(_find, on, channel, resumed[0]))
        opening = Deferred.fromCoroutine(finding).addCallback(partial(_resume, resumed[0]))
    else:
        head = await on.backbone.subscribe(channel)
        opening = succeed(_resume(resumed[0], head) if resumed else _begin(since, head))
    return Response(STREAM.status, on.streams.stream(channel, opening), HEADERS, STREAM.answer.content_type)


def _find(on: Serving, channel: str, last_event_id: bytes) -> Deferred[int]:
    """The head. Fails with `StorageUnavailable` if the last event may be known elsewhere."""

    def judge(head: int) -> int:
        if on.following is not None and on.following.is_stale and (_number(last_event_id) or 0) > head:
            raise StorageUnavailable("failed")
        return head

    return on.backbone.subscribe(channel).addCallback(judge)


def _begin(since: int | None, head: int) -> tuple[int, int, str]:
    """Where a reader begins, the head, and what is said of it. Raises `InvalidCursor`."""
    if since is None:
        return head, head, "from the head on"
    if since > head:
        raise InvalidCursor(f"The cursor must be an integer from 0 to the head, which is {head}.")
    return since, head, f"from {since} on"


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


def _resume(last_event_id: bytes, head: int) -> tuple[int, int, str]:
    """Where a reader that comes back goes on. Any answer but 200 would end an ``EventSource`` for ever."""
    last = _number(last_event_id)
    if last is not None and last <= head:
        return last, head, f"resumed from {last} on"
    return 0, head, "the last event is not known here; from 0 on"
