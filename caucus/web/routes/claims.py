"""Claims: taken, given to somebody, given free."""

from __future__ import annotations

from typing import cast

from caucus.access.principals import Principal
from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import InvalidRequest
from caucus.model.records import Identity
from caucus.web.operation import answered, authored
from caucus.web.routes.serving import Serving, serves
from caucus.wire.jsontext import NULL
from caucus.wire.operations import CLAIM, MARK_CLAIM_DONE, REASSIGN_CLAIM


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
