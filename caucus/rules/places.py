"""Where the answer to a request that wrote an event is found again, and what it was. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, cast

import msgspec
from msgspec.structs import replace

from caucus.model.answers import Answer
from caucus.model.claims import Claim, Taken
from caucus.model.events import (
    Acked,
    ChannelCreated,
    ClaimEnded,
    ClaimOpened,
    ClaimsChanged,
    EvidenceAdded,
    Moved,
    Stepped,
)
from caucus.model.presence import Acknowledged
from caucus.model.records import Appended, Granted, Released, StoredArtifact
from caucus.rules.answered import AnswerPlace
from caucus.rules.channel import Channel
from caucus.rules.claims.claims import Claims
from caucus.rules.noted import noted

_PLAIN: Final = ("granted", "freed")
"""How the operations of plain claims move a target."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Claim).decode


def stored_artifact(channel: str, sha256: str, size: int, *, deduplicated: bool) -> StoredArtifact:
    """The answer to an upload."""
    return StoredArtifact(f"caucus://artifact/{channel}/{sha256}", sha256, size, deduplicated)


def answer_at(place: AnswerPlace, room: Channel) -> Answer:
    """What a request was answered with."""
    if place.claim:
        return _taken(place, room)
    if place.cursor:
        (message_json,) = room.messages(place.cursor - 1, place.cursor)
        return (Granted if place.granted else Appended)(message_json, place.cursor)
    if place.sha256:
        return stored_artifact(room.name, place.sha256, place.size, deduplicated=False)
    if place.released:
        return Released()
    if place.acked:
        return Acknowledged()
    return room.descriptor(0)


def place_of(
    event: ChannelCreated | Stepped | EvidenceAdded | ClaimsChanged | Acked,
    channels: Mapping[str, Channel],
    claims: Claims,
    at: float,
    first: int = 0,
) -> AnswerPlace:
    """Where the answer to the request that wrote an event, the last one applied, is found again.

    Of a step that is its last message, or where something became of lease claims its ``first``.
    """
    match event:
        case ChannelCreated(descriptor=descriptor):
            return AnswerPlace(descriptor.channel)
        case Acked(channel=channel):
            return AnswerPlace(channel, acked=True)
        case EvidenceAdded(channel=channel, sha256=sha256, size=size):
            return AnswerPlace(channel, sha256=sha256, size=size)
        case Stepped(moved=(Moved(channel=channel, manner="revoked"),)):
            return AnswerPlace(channel, released=True)
        case Stepped(said=said, moved=moved):
            channel = said[-1].channel
            return AnswerPlace(channel, channels[channel].length, bool(moved))
        case ClaimsChanged():
            return _place_of_change(event, claims, at, first)


def _place_of_change(event: ClaimsChanged, claims: Claims, at: float, first: int) -> AnswerPlace:
    opened = next((one for one in event.changed if isinstance(one, ClaimOpened)), None)
    if opened is not None:
        outcome = "granted" if opened.fence else "queued"
        return _place_of_claim(claims, opened.claim, opened.channel, at, outcome)
    if event.moved:
        moved = event.moved[0]
        if moved.manner in _PLAIN:
            return AnswerPlace(moved.channel, first, granted=True)
        return AnswerPlace(moved.channel, released=True)
    change = event.changed[0]
    if isinstance(change, ClaimEnded):
        return AnswerPlace(change.channel, released=True)
    return _place_of_claim(claims, change.claim, change.channel, at)


def _place_of_claim(claims: Claims, claim: int, channel: str, at: float, outcome: str = "") -> AnswerPlace:
    """What is answered is the claim as it stands, but for its note where a message has that."""
    lease = claims.leases.get(claim)
    if lease is None:
        raise AssertionError("what was answered with a claim has not ended it")
    shown = claims.seen.shown(lease, at)
    kept = replace(shown, note="") if shown.cursor else shown
    return AnswerPlace(channel, shown.cursor or 0, claim=_encode(kept), outcome=outcome)


def _taken(place: AnswerPlace, room: Channel) -> Answer:
    claim = _decode(place.claim)
    if place.cursor:
        claim = replace(claim, note=noted(room, place.cursor).body)
    if not place.outcome:
        return claim
    return Taken(cast("Literal['granted', 'queued']", place.outcome), claim)
