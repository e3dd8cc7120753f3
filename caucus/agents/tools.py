"""The tools that an agent has: each takes fields, and gives text that is never empty."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec
from attrs import frozen
from twisted.internet.defer import Deferred

from caucus.agents import posts, wording
from caucus.agents.desk import BUDGET, MOST, Desk
from caucus.agents.quoting import DATA, clean, in_line, quoted
from caucus.agents.takes import (
    Board,
    CatchUp,
    Evidence,
    Fields,
    Post,
    Read,
    Release,
    Rooms,
    TakeClaim,
    Wait,
    schema,
)
from caucus.errors import InvalidRequest, NotFound
from caucus.interfaces import IBackbone, IClaims, IFeed
from caucus.model.claims import Claim, Conflicting
from caucus.model.feed import FeedMessage
from caucus.model.messages import new_msg_id
from caucus.model.records import Appended, StoredArtifact


@frozen
class Hand:
    """By what a tool acts.

    :param desk: what is told to whom.
    :param write: has the backbone do an operation that writes, by its name, once for each call that is known.
    :param room: the room where none is said; empty for the only one.
    :param patient: is told that the answer may come much later.
    """

    desk: Desk
    write: Callable[..., Deferred[Any]]
    room: str
    patient: Callable[[], None]

    async def place(self, given: Fields) -> str:
        """The room that a call is about."""
        return (await self.desk.room(given.room or self.room)).channel


async def catch_up(hand: Hand, given: CatchUp) -> str:
    room = await hand.desk.room(given.room or hand.room)
    return await hand.desk.catch_up(room, given.since or None, _budget(given.budget))


async def read(hand: Hand, given: Read) -> str:
    room = await hand.desk.room(given.room or hand.room)
    name = room.channel
    start = max(0, room.head - given.limit) if given.cursor is None else given.cursor
    page = await IBackbone(hand.desk.backbone).read_since(name, start, given.limit)
    if not page.messages_json:
        return f"No posts after {start} in {name}."
    found = [posts.Post(name, at, data) for at, data in enumerate(page.messages_json, start + 1)]
    text, kept = posts.oldest(found, _budget(given.budget))
    hand.desk.note(kept)
    return f"{DATA}\n{text}\nGo on with cursor={kept[-1].cursor}; the room has {room.head}."


async def wait(hand: Hand, given: Wait) -> str:
    name = await hand.place(given)
    hand.patient()
    page = await IFeed(hand.desk.backbone).read_feed([name], given.since or None, wait=given.seconds)
    if not page.events and page.reset is None:
        told = f"Nothing new within {wording.seconds(given.seconds)}. Go on with your work."
    else:
        told = f"{DATA}\n{hand.desk.news(page.events, page.reset is not None, BUDGET)}"
        if any(not isinstance(event, FeedMessage) for event in page.events):
            told += "\nClaims have changed: see `board`."
    return f"{told}\nNext time: since={page.since}"


async def post(hand: Hand, given: Post) -> str:
    name = await hand.place(given)
    if given.type == "claim":
        raise InvalidRequest("Claims are taken with `claim`.")
    message: dict[str, Any] = {"type": given.type, "body": _fit(given.body), "msg_id": new_msg_id()}
    message |= {"agent_id": hand.desk.by.agent_id, "owner": hand.desk.by.owner}
    for field in ("to", "reply_to", "status", "artifact"):
        value = getattr(given, field)
        if value:
            message[field] = list(value) if field == "to" else value
    done: Appended = await hand.write("append", name, message)
    return f"Posted in {name} as [{done.cursor}], id {done.message.msg_id}."


async def claim(hand: Hand, given: TakeClaim) -> str:
    name = await hand.place(given)
    if given.accept is not None:
        note = given.note or None
        accepted: Claim = await hand.write("accept_claim", name, given.accept, hand.desk.by, note=note)
        return f"granted: {_held(accepted)}"
    if not given.targets or not given.note.strip():
        raise InvalidRequest("`targets` and `note` are needed: what you take, and what you do there.")
    wanted = {
        "targets": given.targets,
        "note": _fit(given.note),
        "wait": given.wait,
        "takeover": given.takeover,
        "mode": given.mode,
        "lease_ttl": given.lease_ttl,
        "msg_id": new_msg_id(),
    }
    result = await hand.write("take_claim", name, wanted, hand.desk.by)
    if isinstance(result, Conflicting):
        return wording.lost(result.conflicts)
    taken: Claim = result.claim
    if taken.state == "held":
        return f"{'already yours' if result.outcome == 'already_yours' else 'granted'}: {_held(taken)}"
    said = "already in line" if result.outcome == "already_yours" else "queued"
    front = await IClaims(hand.desk.backbone).list_claims(name, targets=taken.targets)
    ahead = next((one for one in front if one.claim != taken.claim), None)
    holder = "" if ahead is None else f"; {wording.holding(ahead)}"
    return f"{said}: #{taken.claim}, {taken.ahead} ahead{holder}. `wait` tells you when it is yours."


async def release(hand: Hand, given: Release) -> str:
    name = await hand.place(given)
    note = None if given.note is None else _fit(given.note)
    if given.to:
        owner, _, agent_id = given.to.partition("/")
        to = {"owner": owner, "agent_id": agent_id or None}
        await hand.write("offer_claim", name, given.claim, hand.desk.by, **to, note=note)
        return (
            f"Offered #{given.claim} to {in_line(given.to)}: you hold it until they accept. `board` shows it."
        )
    await hand.write("release_claim", name, given.claim, hand.desk.by, note=note, done=given.done)
    return f"Released #{given.claim}, {'done' if given.done else 'not done'}."


async def board(hand: Hand, given: Board) -> str:
    name = await hand.place(given)
    return f"Room {name}:\n{await hand.desk.board(name)}"


async def evidence(hand: Hand, given: Evidence) -> str:
    name = await hand.place(given)
    if given.store is not None:
        data = given.store.encode("utf-8", "replace")
        stored: StoredArtifact = await hand.write("put_artifact", name, sha256(data).hexdigest(), data)
        return f"Stored {stored.size} bytes: {stored.uri}. Name it as `artifact` of a post."
    found = _ADDRESS.search(given.sha256 or "")
    if found is None:
        raise InvalidRequest("Say `sha256`, 64 hexadecimal digits, or `store` a text.")
    kept: bytes | None = await IBackbone(hand.desk.backbone).get_artifact(name, found[0])
    if kept is None:
        raise NotFound
    text = kept.decode("utf-8", "replace")
    window = text[given.offset : given.offset + BUDGET]
    more = len(text) - given.offset - len(window)
    rest = (
        f"{more} characters more, from offset={given.offset + len(window)}." if more > 0 else "That is all."
    )
    return f"{DATA}\n{quoted(window, BUDGET)}\n{rest}"


async def rooms(hand: Hand, _given: Rooms) -> str:
    found = await hand.desk.rooms()
    lines = [
        f"{one.channel}, {one.head} posts" + (f", {in_line(one.purpose, 120)}" if one.purpose else "")
        for one in found[-50:]
    ]
    return "\n".join(lines) or "There is no room yet: a person makes one."


_ADDRESS: Final = re.compile("[0-9a-f]{64}")


def _budget(asked: int) -> int:
    return min(MOST, max(500, asked))


def _fit(text: str) -> str:
    """What a model writes, without what no message may hold."""
    return clean(text)


def _held(claim: Claim) -> str:
    lease = f"{wording.seconds(claim.lease_ttl or 0)} after your last call it lapses"
    return f"#{claim.claim} on {wording.targets(claim)}, fence {claim.fence}. Release it when done; {lease}."


@frozen
class Tool:
    """One tool: what it takes, what it does, and what an agent is told of it."""

    name: str
    about: str
    takes: type[msgspec.Struct]
    call: Callable[[Hand, Any], Awaitable[str]]
    reads_only: bool = False

    async def __call__(self, hand: Hand, arguments: Mapping[str, Any]) -> str:
        """Do it. Raises `InvalidRequest` for arguments that it does not take, or a refusal."""
        try:
            given = msgspec.convert(arguments, self.takes, strict=False)
        except msgspec.ValidationError as error:
            names = ", ".join(self.takes.__struct_fields__) or "nothing"
            raise InvalidRequest(f"{error}. `{self.name}` takes: {names}.") from None
        return await self.call(hand, given)

    def shown(self) -> dict[str, Any]:
        """As it is listed."""
        return {
            "name": self.name,
            "description": self.about,
            "inputSchema": schema(self.takes),
            "annotations": {"readOnlyHint": self.reads_only},
        }


TOOLS: Final = (
    Tool(
        "catch_up",
        "What you need to know before you work: who holds what, what is asked of you, open questions, new "
        "posts. Consumes nothing; call it first, and again with its `since`.",
        CatchUp,
        catch_up,
        reads_only=True,
    ),
    Tool("read", "Posts of the room, oldest first.", Read, read, reads_only=True),
    Tool(
        "wait",
        "Wait for news, up to 50 s, where you have nothing else to do. Do not poll.",
        Wait,
        wait,
        reads_only=True,
    ),
    Tool(
        "post",
        "Tell the room what you found, decided or ask. Short, one thing each.",
        Post,
        post,
    ),
    Tool(
        "claim",
        "Take what you are about to work on or edit, BEFORE you do, so that nobody does it twice. If lost, "
        "do something else, or `wait` in line.",
        TakeClaim,
        claim,
    ),
    Tool("release", "Give a claim back, or hand it over.", Release, release),
    Tool("board", "Who holds what, and who waits.", Board, board, reads_only=True),
    Tool(
        "evidence",
        "Keep a text (log, trace, diff) that is too long for a post, or show one.",
        Evidence,
        evidence,
    ),
    Tool("rooms", "The rooms there are.", Rooms, rooms, reads_only=True),
)
"""Every tool that is listed, in that order."""
