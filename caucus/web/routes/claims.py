"""Claims: taken, given to somebody, given free."""

from __future__ import annotations

import re
from typing import Any, Final, cast

from twisted.internet.defer import Deferred

from caucus.access.principals import Principal
from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import InvalidRequest, NotFound
from caucus.interfaces import IClaims
from caucus.model.problems import refusal
from caucus.model.records import ClaimResult, Identity
from caucus.model.validation import unknown_problems
from caucus.web.operation import answered, authored
from caucus.web.query import texts, wait
from caucus.web.routes.serving import Serving, serves
from caucus.wire.jsontext import NULL
from caucus.wire.operations import (
    ACCEPT_CLAIM,
    CLAIM,
    DECLINE_CLAIM,
    GET_CLAIM,
    LIST_CLAIMS,
    MARK_CLAIM_DONE,
    OFFER_CLAIM,
    REASSIGN_CLAIM,
    RELEASE_CLAIM,
    RENEW_CLAIM,
    REVOKE_CLAIM,
    TAKE_CLAIM,
)

_DIGITS: Final = re.compile("[1-9][0-9]{0,15}")
_FENCE: Final = re.compile("[0-9]{1,32}")
_TAKEN: Final = {"granted": 201, "queued": 202}
"""The statuses of what was taken; all else is 200."""


@serves(LIST_CLAIMS)
async def list_claims(on: Serving, request: Request, channel: str) -> Response:
    claims = IClaims(on.backbone, None)
    if claims is None:
        raise NotFound
    asked = {name: texts(request, name) for name in ("owner", "agent_id", "state")}
    named = {name: given[0] for name, given in asked.items() if given}
    listed = await claims.list_claims(channel, **named, targets=texts(request, "target"))
    return answered(LIST_CLAIMS, listed)


@serves(GET_CLAIM)
async def get_claim(on: Serving, request: Request, channel: str, claim: str) -> Response:
    claims = IClaims(on.backbone, None)
    if claims is None:
        raise NotFound
    fences = texts(request, "fence")
    if fences and not _FENCE.fullmatch(fences[0]):
        raise InvalidRequest("fence must be the number of a grant, in digits.")
    fence = int(fences[0]) if fences else None
    return answered(GET_CLAIM, await claims.get_claim(channel, _number(claim), fence, wait(request)))


@serves(TAKE_CLAIM)
async def take_claim(on: Serving, request: Request, channel: str) -> Response:
    by = _speaker(on, request)
    taken = await on.once(request, TAKE_CLAIM, channel, request.value, by)
    return answered(TAKE_CLAIM, taken, _TAKEN.get(taken.outcome, 200))


@serves(RENEW_CLAIM)
async def renew_claim(on: Serving, request: Request, channel: str, claim: str) -> Response:
    by, given = _speaker(on, request), await _known(on, channel, request.value, "lease_ttl")
    return answered(RENEW_CLAIM, await on.once(request, RENEW_CLAIM, channel, _number(claim), by, **given))


@serves(RELEASE_CLAIM)
async def release_claim(on: Serving, request: Request, channel: str, claim: str) -> Response:
    by, given = _speaker(on, request), await _known(on, channel, request.value, "note", "done")
    released = await on.once(request, RELEASE_CLAIM, channel, _number(claim), by, **given)
    return answered(RELEASE_CLAIM, released)


@serves(OFFER_CLAIM)
async def offer_claim(on: Serving, request: Request, channel: str, claim: str) -> Response:
    by, given = _speaker(on, request), await _known(on, channel, request.value, "to", "note", "expires_in")
    to = given.pop("to", NULL)
    named: dict[str, Any] = {"owner": NULL}
    if isinstance(to, dict):
        nulls = {name: NULL if one is None else one for name, one in to.items()}
        named |= await _known(on, channel, nulls, "owner", "agent_id")
    offered = await on.once(request, OFFER_CLAIM, channel, _number(claim), by, **named, **given)
    return answered(OFFER_CLAIM, offered)


@serves(ACCEPT_CLAIM)
async def accept_claim(on: Serving, request: Request, channel: str, claim: str) -> Response:
    by, given = _speaker(on, request), await _known(on, channel, request.value, "note")
    return answered(ACCEPT_CLAIM, await on.once(request, ACCEPT_CLAIM, channel, _number(claim), by, **given))


@serves(DECLINE_CLAIM)
async def decline_claim(on: Serving, request: Request, channel: str, claim: str) -> Response:
    by, given = _speaker(on, request), await _known(on, channel, request.value, "note")
    return answered(
        DECLINE_CLAIM, await on.once(request, DECLINE_CLAIM, channel, _number(claim), by, **given)
    )


@serves(REVOKE_CLAIM)
async def revoke_claim(on: Serving, request: Request, channel: str, claim: str) -> Response:
    by, given = _speaker(on, request), await _known(on, channel, request.value, "reason")
    reason = given.get("reason", NULL)
    released = await on.once(request, REVOKE_CLAIM, channel, _number(claim), reason, by)
    return answered(REVOKE_CLAIM, released)


def _speaker(on: Serving, request: Request) -> Identity:
    """Who speaks. Raises `NotFound` where the backbone has no such claims."""
    if not IClaims.providedBy(on.backbone):
        raise NotFound
    return cast("Principal", request.principal).identity


async def _known(on: Serving, channel: str, given: dict[str, Any], *names: str) -> dict[str, Any]:
    """The fields of a body, each of which has to be one of these.

    Raises `InvalidMessage` for others, once it is known that there is such a channel.
    """
    problems = tuple(unknown_problems(given, names))
    if problems:
        await on.backbone.describe_channel(channel)
        raise refusal(problems)
    return dict(given)


def _number(claim: str) -> int:
    """A claim's number, or 0, which none has."""
    return int(claim) if _DIGITS.fullmatch(claim) else 0


@serves(CLAIM)
def claim(on: Serving, request: Request, channel: str) -> Deferred[ClaimResult]:
    return on.once(request, CLAIM, channel, request.value)


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
def mark_claim_done(on: Serving, request: Request, channel: str) -> Deferred[ClaimResult]:
    return on.once(request, MARK_CLAIM_DONE, channel, request.value)
