"""The tools by which an agent hears and speaks: each gives text that is never empty."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final

from caucus.agents import posts, wording
from caucus.agents.desk import BUDGET, MOST, is_by, is_yours
from caucus.agents.hand import Hand
from caucus.agents.quoting import DATA, fit, in_line, quoted
from caucus.agents.takes import CatchUp, Evidence, Post, Read, Rooms, Wait
from caucus.errors import InvalidRequest, NotFound
from caucus.interfaces import IBackbone, IFeed, IInbox
from caucus.model.feed import FeedMessage
from caucus.model.messages import new_msg_id
from caucus.model.records import Appended, StoredArtifact

LEAST: Final = 1000
"""Whoever asks for fewer characters is told so many."""
_ADDRESS: Final = re.compile("[0-9a-f]{64}")


async def catch_up(hand: Hand, given: CatchUp) -> str:
    room = await hand.desk.room(given.room or hand.room)
    return await hand.desk.catch_up(room, given.since or None, _budget(given.budget))


async def read(hand: Hand, given: Read) -> str:
    room = await hand.desk.room(given.room or hand.room)
    name, budget = room.channel, _budget(given.budget)
    start = max(0, room.head - given.limit) if given.cursor is None else given.cursor
    page = await IBackbone(hand.desk.backbone).read_since(name, start, given.limit)
    if not page.messages_json:
        return f"No posts after {start} in {name}."
    found = [
        posts.Post(name, at, data, budget, start=given.offset if at == start + 1 else 0)
        for at, data in enumerate(page.messages_json, start + 1)
    ]
    choose = posts.newest if given.cursor is None else posts.oldest
    text, kept = choose(found, budget - len(DATA) - 80)
    hand.desk.note(kept)
    return f"{DATA}\n{text}\nGo on with cursor={kept[-1].cursor}; the room has {room.head}."


async def wait(hand: Hand, given: Wait) -> str:
    name = await hand.place(given)
    hand.patient()
    feed, since = IFeed(hand.desk.backbone), given.since or None
    end = hand.seconds() + given.seconds
    while True:
        left = max(0.0, end - hand.seconds())
        page = await feed.read_feed([name], since, wait=left)
        since = page.since
        found = [event for event in page.events if isinstance(event, FeedMessage)]
        mine = [event for event in found if is_by(event, hand.desk.by)]
        yours = [event.change.claim for event in mine if event.change and is_yours(event, hand.desk.by)]
        lines = [f"#{claim} is yours now." for claim in yours]
        news = [posts.Post(one.channel, one.cursor, one.message_json) for one in found if one not in mine]
        if page.reset is not None:
            lines.append("Where you were is not known here any more: this is from the beginning.")
        if news:
            lines.append(f"{DATA}\n{hand.desk.tell(news, BUDGET - len(DATA))}")
        if not lines and not page.events:  # the time is up, or nobody waits any more
            lines.append(f"Nothing new within {wording.seconds(given.seconds)}. Go on with your work.")
        if lines:
            return "\n".join([*lines, f"Next time: since={since}"])


async def post(hand: Hand, given: Post) -> str:
    name = await hand.place(given)
    kind = given.type or ("answer" if given.reply_to else "finding")
    if kind == "claim":
        raise InvalidRequest("Claims are taken with `claim`.")
    message: dict[str, Any] = {"type": kind, "body": fit(given.body), "msg_id": new_msg_id()}
    message |= {"agent_id": hand.desk.by.agent_id, "owner": hand.desk.by.owner}
    for field in ("reply_to", "status", "artifact"):
        if getattr(given, field):
            message[field] = getattr(given, field)
    if given.to:
        message["to"] = [one.partition("/")[2] or one for one in given.to]
    done: Appended = await hand.write("append", name, message)
    told = f"Posted in {name} as [{done.cursor}], id {done.message.msg_id}."
    inbox = IInbox(hand.desk.backbone, None) if given.to else None
    if inbox is None:
        return told
    nobody = (await inbox.get_message(name, done.cursor)).unreachable
    return told + "".join(
        f" Nobody here goes by {in_line(one)}: it reaches nobody of that name." for one in nobody
    )


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
    return f"{DATA}\n{quoted(window, MOST - len(DATA) - len(rest) - 2)}\n{rest}"


async def rooms(hand: Hand, _given: Rooms) -> str:
    found = await hand.desk.rooms()
    older = [f"({len(found) - 50} older rooms)"] if len(found) > 50 else []
    lines = [
        f"{one.channel}, {one.head} posts" + (f", {in_line(one.purpose, 120)}" if one.purpose else "")
        for one in found[-50:]
    ]
    return "\n".join(older + lines) or "There is no room yet: a person makes one."


def _budget(asked: int) -> int:
    return min(MOST, max(LEAST, asked))
