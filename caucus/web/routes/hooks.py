"""Hooks of harnesses: what happens in a session comes in, and what the agent is to know goes out."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final, cast

import msgspec
from twisted.internet.task import deferLater

from caucus.access.principals import Principal
from caucus.agents.desk import Desk
from caucus.agents.dialects import DIALECTS, Verdict
from caucus.agents.hooks import Asked, Hook
from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import InvalidRequest, NotFound
from caucus.interfaces import IClaims, IFeed
from caucus.web.operation import answered
from caucus.web.query import text, truth
from caucus.web.routes.serving import Serving, serves
from caucus.wire.agents import HOOK
from caucus.wire.jsontext import encode_json

_GUARDS: Final = ("off", "warn", "deny")


@serves(HOOK)
async def hook(on: Serving, request: Request, dialect: str, event: str) -> Response:
    if dialect not in DIALECTS or not (IFeed.providedBy(on.backbone) and IClaims.providedBy(on.backbone)):
        raise NotFound
    guard = text(request, "guard") or "off"
    if guard not in _GUARDS:
        raise InvalidRequest(f"guard must be {', '.join(_GUARDS)}.")
    asked = Asked(text(request, "room") or "", cast("Verdict", guard), truth(request, "remind"))
    try:
        payload = msgspec.json.decode(request.body())
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidRequest("The body must be the JSON that a harness gives to a hook.") from None
    request.is_awaited = True  # who closes its end has given up
    for _ in range(2):  # a daemon that was held up finds the request and its end at once
        await deferLater(on.streams.clock, 0, lambda: None)
    answer = await hook_of(on, request).answer(dialect, event, payload, asked)
    return answered(HOOK, encode_json(answer))


def hook_of(on: Serving, request: Request) -> Hook:
    """What answers a hook of whoever asks; what it promises is done once that has the answer."""
    principal = cast("Principal", request.principal)
    promises: list[Callable[[], None]] = []

    def showed(channel: str, start: int, end: int) -> None:
        promises.append(partial(on.showed, request, channel, start, end))

    def keep(_: object) -> None:
        for promise in promises:
            promise()

    request.notifyFinish().addCallbacks(keep, lambda _: None)
    return Hook(Desk(on.backbone, principal.identity, showed), promises, on.throttle, on.streams.clock)
