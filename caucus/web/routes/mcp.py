"""The Model Context Protocol over HTTP: one message a request, and no session."""

from __future__ import annotations

from functools import partial
from hashlib import sha256
from typing import Final, cast

from caucus.access.principals import Principal
from caucus.agents import mcp as protocol
from caucus.agents.desk import Desk
from caucus.agents.hand import Hand
from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import NotFound
from caucus.interfaces import IClaims, IFeed
from caucus.web.idempotency import IDEMPOTENCY_KEY, named_key
from caucus.web.query import text
from caucus.web.routes.hooks import hook_of
from caucus.web.routes.serving import Serving, serves
from caucus.wire.agents import MCP

_STATUS: Final = {protocol.METHOD_NOT_FOUND: 404}
"""Of errors to a modern request, and else 400. Of those to a legacy one only what is no request at all is."""
_NO_REQUEST: Final = (protocol.PARSE_ERROR, protocol.INVALID_REQUEST)


@serves(MCP)
async def mcp(on: Serving, request: Request) -> Response:
    if not (IFeed.providedBy(on.backbone) and IClaims.providedBy(on.backbone)):
        raise NotFound
    room = text(request, "room") or ""
    asked = protocol.Asked(
        request.body(),
        _header(request, b"mcp-protocol-version"),
        _header(request, b"mcp-method"),
        _header(request, b"mcp-name"),
    )
    reply = await protocol.answer(asked, partial(_hand, on, request, room))
    return Response(_status(reply), reply.body)


def _status(reply: protocol.Reply) -> int:
    if not reply.body:
        return 202
    if reply.is_modern and reply.error:
        return _STATUS.get(reply.error, 400)
    return 400 if reply.error in _NO_REQUEST else 200


def _header(request: Request, name: bytes) -> str | None:
    """The value of a header; of one that is there twice, something that nobody means."""
    given = request.values(name)
    return b", ".join(given).decode("latin-1") if given else None


def _hand(on: Serving, request: Request, room: str, key: str, asked: bytes) -> Hand:
    """By what a call acts: with the caller's token, and once if it is known by a key."""
    principal = cast("Principal", request.principal)
    given = request.values(IDEMPOTENCY_KEY)
    named = given[0] if given else key.encode()
    what = sha256(b"mcp %b\n%b" % (room.encode(), asked)).digest()
    known = named_key(principal, named, what) if named else None

    def patient() -> None:
        request.is_awaited = True

    desk = Desk(on.backbone, principal.identity, partial(on.showed, request))

    def count(tool: str, outcome: str) -> None:
        on.tools.add((tool, outcome))

    write, clock = partial(on.write, request, known), on.streams.clock
    hook = partial(hook_of, on, request)
    return Hand(desk, write, room, patient, clock.seconds, count, hook, known is not None)
