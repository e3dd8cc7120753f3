"""Who is there, who asks, and what is addressed to them."""

from __future__ import annotations

from typing import cast

from caucus.access.principals import Principal
from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import NotFound
from caucus.interfaces import IInbox, IPresence
from caucus.model.problems import refusal
from caucus.model.validation import unknown_problems
from caucus.web.operation import answered
from caucus.web.query import text, truth, wait
from caucus.web.routes.serving import Serving, serves
from caucus.wire.following import ACK, READ_INBOX, WHO, WHOAMI
from caucus.wire.jsontext import NULL


@serves(WHO)
async def who(on: Serving, request: Request) -> Response:
    return answered(WHO, await _presence(on).who(text(request, "channel")))


@serves(WHOAMI)
async def whoami(on: Serving, request: Request) -> Response:
    return answered(WHOAMI, await _presence(on).whoami(cast("Principal", request.principal).identity))


@serves(READ_INBOX)
async def read_inbox(on: Serving, request: Request) -> Response:
    by = cast("Principal", request.principal).identity
    everything, since = truth(request, "all"), text(request, "since")
    page = await _inbox(on).read_inbox(by, since=since, wait=wait(request), everything=everything)
    for item in page.items:
        on.showed(request, item.channel, item.cursor - 1, item.cursor)
    return answered(READ_INBOX, page)


@serves(ACK)
async def ack(on: Serving, request: Request) -> Response:
    _inbox(on)
    problems = tuple(unknown_problems(request.value, ("channel", "cursor")))
    if problems:
        raise refusal(problems)
    channel, cursor = (request.value.get(name, NULL) for name in ("channel", "cursor"))
    by = cast("Principal", request.principal).identity
    return answered(ACK, await on.once(request, ACK, channel, cursor, by))


def _presence(on: Serving) -> IPresence:
    found: IPresence | None = IPresence(on.backbone, None)
    if found is None:
        raise NotFound
    return found


def _inbox(on: Serving) -> IInbox:
    found: IInbox | None = IInbox(on.backbone, None)
    if found is None:
        raise NotFound
    return found
