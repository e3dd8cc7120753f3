"""What an agent is told of a room: who holds what, what is owed to it, what is open, what is new.

All of it is within a budget of characters: of posts the newest are kept, and what is left out is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from attrs import frozen

from caucus.agents import wording
from caucus.agents.posts import Post, newest
from caucus.agents.quoting import DATA
from caucus.errors import InvalidRequest
from caucus.interfaces import IBackbone, IClaims, IFeed, IInbox
from caucus.model.claims import Claim
from caucus.model.feed import FeedEvent, FeedMessage, FeedPage
from caucus.model.messages import Message
from caucus.model.records import Descriptor, Identity

BUDGET: Final = 3000
"""So many characters are told where nobody says how many."""
MOST: Final = 10_000
"""And so many at most."""
LOOKED_THROUGH: Final = 1000
"""So many of a room's last messages are looked through for questions that nobody has answered, and so many
that are new, or owed, at most."""
AT_ONCE: Final = 500
"""So many events are looked at in one step."""
OWED_LENGTH: Final = 800
QUESTION_LENGTH: Final = 200
"""So much is shown of what is addressed to the agent, and of a question to anybody."""
POSITION: Final = 64
"""So many characters a position has here, at most."""
LATEST: Final = 20
"""So many posts are told at first."""

Showed = Callable[[str, int, int], None]
"""Takes a channel and two cursors: the messages between them are shown to the agent."""


@frozen
class Desk:
    """What is told to one agent.

    :param backbone: where it is looked up.
    :param showed: is told what was shown.
    """

    backbone: Any
    by: Identity
    showed: Showed

    async def room(self, asked: str) -> Descriptor:
        """The room with this name, or the only one there is. Raises `InvalidRequest` where that is none."""
        if asked:
            found: Descriptor = await IBackbone(self.backbone).describe_channel(asked)
            return found
        rooms = await self.rooms()
        if len(rooms) == 1:
            return rooms[0]
        names = ", ".join(one.channel for one in rooms[-20:]) or "none yet"
        more = f" and {len(rooms) - 20} more, see `rooms`" if len(rooms) > 20 else ""
        raise InvalidRequest(f"Say which room, with `room`. There are: {names}{more}.")

    async def rooms(self) -> list[Descriptor]:
        """Every room, oldest first."""
        rooms: list[Descriptor] = await IBackbone(self.backbone).list_channels()
        return rooms

    async def claims(self, room: str) -> list[Claim]:
        """Who holds what, and who waits."""
        claims = IClaims(self.backbone, None)
        return [] if claims is None else await claims.list_claims(room)

    async def board(self, room: str, budget: int = BUDGET) -> str:
        """Who holds what, as lines; the caller's own first."""
        claims, own = await self.claims(room), (self.by.agent_id, self.by.owner)
        if not claims:
            return "Nobody holds anything."
        claims.sort(key=lambda one: (one.agent_id, one.owner) != own)
        lines: list[str] = []
        left = budget - len("(10000 more claims)")
        for claim in claims:
            line = wording.claim_line(claim, own)
            left -= len(line) + 1
            if left < 0:
                lines.append(f"({len(claims) - len(lines)} more claims)")
                break
            lines.append(line)
        return "\n".join(lines)

    async def catch_up(self, room: Descriptor, since: str | None, budget: int = BUDGET) -> str:
        """All that somebody who comes needs to know, ending with the position to come back with."""
        foot = "\n\nNext time: since="
        text, position = await self.briefing(room, since, budget - len(foot) - POSITION)
        return f"{text}{foot}{position}"

    async def briefing(self, room: Descriptor, since: str | None, budget: int) -> tuple[str, str]:
        """All that somebody who comes needs to know, and the position after it."""
        page, skipped = await self.all_since(room, since)
        head = f"{DATA}\nRoom {room.channel}, {room.head} posts. You are {self.me}."
        parts = [head]
        left = budget - len(head)

        def add(title: str, text: str) -> None:
            nonlocal left
            parts.append(title + text)
            left -= len(title) + len(text) + 2

        add("Claims:\n", await self.board(room.channel, left // 3))
        owed = await self._owed()
        if owed:
            title = "Addressed to you and open; a post with its id as `reply_to` closes it:\n"
            add(title, self.tell(owed, left // 2 - len(title)))
        told = {(one.channel, one.cursor) for one in owed}
        asked = [one for one in await self._questions(room) if (one.channel, one.cursor) not in told]
        if asked:
            title = "Questions that nobody has answered:\n"
            add(title, self.tell(asked, left // 3 - len(title)))
        told |= {(one.channel, one.cursor) for one in asked}
        new = [
            Post(event.channel, event.cursor, event.message_json)
            for event in page.events
            if isinstance(event, FeedMessage) and (event.channel, event.cursor) not in told
        ]
        if skipped:
            add("", skipped)
        add("New posts:\n" if new else "", self.tell(new, left - 14) if new else "No new posts.")
        return "\n\n".join(parts), page.since

    async def all_since(self, room: Descriptor, since: str | None) -> tuple[FeedPage, str]:
        """What is new, as one page, and what is said of what is not in it: of very much it is the latest."""
        name = room.channel
        latest = f"{name}:{max(0, room.head - LATEST)}"
        page, is_whole = await self._read_on(latest if since is None else name, since)
        if page.reset is not None:
            page, _ = await self._read_on(latest, None)
            return page, "Where you were is not known here any more: these are the latest posts."
        if not is_whole:
            first = next((one.cursor - 1 for one in page.events if isinstance(one, FeedMessage)), 0)
            page, _ = await self._read_on(latest, None)
            return page, f"Much is new: these are the latest. Read from cursor={first} for the rest."
        return page, ""

    async def _read_on(self, room: str, since: str | None) -> tuple[FeedPage, bool]:
        """What there is of a room, as one page, and whether that is all: of very much it is the beginning."""
        feed, events = IFeed(self.backbone), list[FeedEvent]()
        page: FeedPage = await feed.read_feed([room], since, limit=AT_ONCE)
        reset = page.reset
        while page.events and reset is None:
            events += page.events
            if len(events) >= LOOKED_THROUGH:
                return FeedPage(tuple(events), page.since), False
            page = await feed.read_feed([room.partition(":")[0]], page.since, limit=AT_ONCE)
        return FeedPage(tuple(events), page.since, reset), True

    @property
    def me(self) -> str:
        """Who is told."""
        return wording.who(self.by.agent_id, self.by.owner)

    def tell(self, posts: Sequence[Post], budget: int) -> str:
        """The newest of these posts, as many as there is room for."""
        text, kept = newest(posts, budget)
        self.note(kept)
        return text

    def note(self, kept: Sequence[Post]) -> None:
        """These are shown to the agent."""
        for one in kept:
            self.showed(one.channel, one.cursor - 1, one.cursor)

    async def _owed(self) -> list[Post]:
        """What is addressed to the agent or its owner and neither acked nor answered, of all rooms."""
        inbox = IInbox(self.backbone, None)
        owed: list[Post] = []
        since: str | None = None
        while inbox is not None and len(owed) < LOOKED_THROUGH:
            page = await inbox.read_inbox(self.by, since=since)
            if not page.items:
                break
            since = page.since
            owed += [
                Post(one.channel, one.cursor, one.message_json, OWED_LENGTH, names_room=True)
                for one in page.items
            ]
        return owed

    async def _questions(self, room: Descriptor) -> list[Post]:
        """Questions in the room that nobody has answered: of its last thousand messages."""
        start = max(0, room.head - LOOKED_THROUGH)
        asked: dict[str, Post] = {}
        while start < room.head:
            page = await IBackbone(self.backbone).read_since(room.channel, start)
            for number, message_json in enumerate(page.messages_json, start + 1):
                if b'"question"' not in message_json and b'"reply_to"' not in message_json:
                    continue
                message = Message.from_json(message_json)
                if message.reply_to is not None:
                    asked.pop(message.reply_to, None)
                if _asks(message):
                    asked[message.msg_id] = Post(room.channel, number, message_json, QUESTION_LENGTH)
            start = page.cursor
        return list(asked.values())


def is_by(event: FeedMessage, by: Identity) -> bool:
    """Whether an agent has said something itself."""
    message = event.message
    return (message.agent_id, message.owner) == (by.agent_id, by.owner)


def is_yours(event: FeedMessage, by: Identity) -> bool:
    """Whether a message says that a claim is an agent's that waited, or was another's.

    What it was granted at once it knows: the number of such a grant is the claim's own.
    """
    change = event.change
    return (
        change is not None
        and change.kind in ("granted", "handed_over")
        and change.fence != change.claim
        and is_by(event, by)
    )


def _asks(message: Message) -> bool:
    return message.type == "question" and message.status != "resolved"
