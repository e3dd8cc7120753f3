"""Claims that are there: listed, and looked up by their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import get_args

import msgspec

from caucus.core.core import Core
from caucus.errors import ClaimLost, InvalidRequest, UnknownChannel, UnknownClaim
from caucus.model.claims import Claim, ClaimState
from caucus.model.events import RequestKey
from caucus.model.fields import SHORT_TEXT
from caucus.model.problems import line_problem
from caucus.model.targets import Target, plain_target, read_target
from caucus.model.text import trim
from caucus.rules.channel import Channel
from caucus.rules.claims.ledger import Held


class Noted(msgspec.Struct):
    """What is shown of the message that granted a claim."""

    body: str
    target: str


_decode_noted = msgspec.json.Decoder(Noted).decode


def list_claims(
    core: Core,
    channel: str,
    owner: str | None,
    agent_id: str | None,
    state: str | None,
    targets: Sequence[str],
) -> list[Claim]:
    room = core.durable_channel(channel)
    if state is not None and state not in get_args(ClaimState):
        raise InvalidRequest("state must be held or waiting.")
    asked = [_asked_for(text) for text in targets]
    found = [
        _shown(room, held, held.ends, now)
        for key, held, now in _held(core, room)
        if (owner is None or held.grant.holder.owner == owner)
        and (agent_id is None or held.grant.holder.agent_id == agent_id)
        and state != "waiting"
        and (not asked or any(one.overlaps(plain_target(key)) for one in asked))
    ]
    return sorted(found, key=_grant_of)


def get_claim(core: Core, channel: str, claim: int) -> Claim:
    room, now = core.durable_channel(channel), core.clock.now()
    held = core.state.durable_claim(room, claim, core.journal.durable)
    if held is None or (held.ends is not None and now >= held.ends):
        raise UnknownClaim
    return _shown(room, held, held.ends, now)


def confirm_claim(
    core: Core, _request: RequestKey | None, now: float, channel: str, claim: int, fence: int
) -> Claim:
    try:
        room = core.channel(channel)
    except UnknownChannel:
        raise ClaimLost from None  # as after a log that was lost: with a fence, nothing is merely unknown
    found = room.ledger.find(claim)
    held = None if found is None else room.ledger.live(found[0], now)
    if held is None or held.fence != fence:
        raise ClaimLost
    return _shown(room, held, held.ends, now)


def _held(core: Core, room: Channel) -> Iterator[tuple[str, Held, float]]:
    """What is held in a channel by durable events, by target key, and the time now."""
    now = core.clock.now()
    for key, held in core.state.durable_claims(room, core.journal.durable).items():
        if held.ends is None or now < held.ends:
            yield key, held, now


def _shown(room: Channel, held: Held, ends: float | None, now: float) -> Claim:
    holder = held.grant.holder
    message = noted(room, held)
    return Claim(
        claim=held.claim,
        fence=held.fence,
        targets=(message.target,),
        agent_id=holder.agent_id,
        owner=holder.owner,
        note=message.body,
        ts=holder.ts,
        msg_id=holder.msg_id,
        cursor=held.cursor,
        lease_ttl=held.grant.lease_ttl,
        expires_in=None if ends is None else max(1, ceil(ends - now)),
    )


def noted(room: Channel, held: Held) -> Noted:
    """What the message says that granted it last."""
    (message_json,) = room.messages(held.cursor - 1, held.cursor)
    return _decode_noted(message_json)


def _asked_for(text: object) -> Target:
    if not isinstance(text, str) or not trim(text) or len(text) > SHORT_TEXT:
        raise InvalidRequest(f"A target is 1 to {SHORT_TEXT} characters, and not blank.")
    problem = line_problem("target", text)
    if problem is not None:
        raise InvalidRequest(f"{problem.issue}.")
    target = read_target(text)
    if target is None:
        raise InvalidRequest("A target may end in / or /**, or be **; no other * means anything.")
    return target


def _grant_of(claim: Claim) -> int:
    return claim.fence or 0
