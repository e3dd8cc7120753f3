"""Claims: taken, given to somebody, given free."""

from __future__ import annotations

import re
from typing import Final, cast

from caucus.access.principals import Principal
from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import InvalidRequest, NotFound
from caucus.interfaces import IClaims
from caucus.model.records import Identity
from caucus.web.operation import answered, authored
from caucus.web.routes.serving import Serving, serves
from caucus.wire.jsontext import NULL
from caucus.wire.operations import (
    CLAIM,
    GET_CLAIM,
    LIST_CLAIMS,
    MARK_CLAIM_DONE,
    REASSIGN_CLAIM,
    REVOKE_CLAIM,
)

_DIGITS: Final = re.compile("[1-9][0-9]{0,15}")


@serves(LIST_CLAIMS)
async def list_claims(on: Serving, request: Request, channel: str) -> Response:
    claims = IClaims(on.backbone, None)
    if claims is None:
        raise NotFound
    asked = {name: _texts(request, name) for name in ("owner", "agent_id", "state")}
    named = {name: texts[0] for name, texts in asked.items() if texts}
    listed = await claims.list_claims(channel, **named, targets=_texts(request, "target"))
    return answered(LIST_CLAIMS, listed)


@serves(GET_CLAIM)
async def get_claim(on: Serving, request: Request, channel: str, claim: str) -> Response:
    claims = IClaims(on.backbone, None)
    if claims is None:
        raise NotFound
    given = _texts(request, "fence")
    if given and not _DIGITS.fullmatch(given[0]):
        raise InvalidRequest("fence must be the number of a grant, in digits.")
    fence = int(given[0]) if given else None
    return answered(GET_CLAIM, await claims.get_claim(channel, _number(claim), fence))


@serves(REVOKE_CLAIM)
async def revoke_claim(on: Serving, request: Request, channel: str, claim: str) -> Response:
    if not IClaims.providedBy(on.backbone):
        raise NotFound
    by = cast("Principal", request.principal).identity
    reason = request.value.get("reason", NULL)
    released = await on.once(request, REVOKE_CLAIM, channel, _number(claim), reason, by)
    return answered(REVOKE_CLAIM, released)


def _texts(request: Request, name: str) -> list[str]:
    """The values of a query's parameter. Raises `InvalidRequest` for bytes that are not UTF-8."""
    try:
        return [value.decode() for value in request.args.get(name.encode(), ())]
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name} is not UTF-8.") from None


def _number(claim: str) -> int:
    """A claim's number, or 0, which none has."""
    return int(claim) if _DIGITS.fullmatch(claim) else 0


@serves(CLAIM)
async def claim(on: Serving, request: Request, channel: str) -> Response:
    return answered(CLAIM, await on.once(request, CLAIM, channel, request.value))


@serves(REASSIGN_CLAIM)
async def reassign_claim(on: Serving, request: Request, channel: str) -> Response:
    assignee = request.value.get("assignee")
    if not isinstance(assignee, dict):
        raise InvalidRequest("The assignee must be an object with an agent_id and an owner.")
    message = authored(request.value, cast("Principal", request.principal))
    del message["assignee"]
    given = Identity(assignee.get("agent_id", NULL), assignee.get("owner", NULL))
    result = await on.once(request, REASSIGN_CLAIM, channel, message, given)
    return answered(REASSIGN_CLAIM, result)


@serves(MARK_CLAIM_DONE)
async def mark_claim_done(on: Serving, request: Request, channel: str) -> Response:
    result = await on.once(request, MARK_CLAIM_DONE, channel, request.value)
    return answered(MARK_CLAIM_DONE, result)
