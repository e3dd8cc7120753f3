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
from caucus.model.feed import BoardChanged, ChannelMade, FeedEvent, FeedMessage, FeedPage
from caucus.model.messages import Message
from caucus.model.records import Descriptor, Identity

BUDGET: Final = 3000
"""So many characters are told where nobody says how many."""
MOST: Final = 10_000
"""And so many at most."""
LOOKED_THROUGH: Final = 1000
"""So many of a room's last messages are looked through for questions that nobody has answered."""
AT_ONCE: Final = 500
"""So many events are looked at in one step."""
OWED_LENGTH: Final = 800
QUESTION_LENGTH: Final = 200
"""So much is shown of what is addressed to the agent, and of a question to anybody."""
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
        names = ", ".join(one.channel for one in rooms[:20]) or "none yet"
        raise InvalidRequest(f"Say which room, with `room`. There are: {names}.")

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
        left = budget
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
        name = room.channel
        rooms = [f"{name}:{max(0, room.head - LATEST)}" if since is None else name]
        page = await self._all_since(rooms, since)
        parts = [f"Room {name}, {room.head} posts. You are {wording.who(self.by.agent_id, self.by.owner)}."]
        parts.append("Claims:\n" + await self.board(name, budget // 3))
        owed = await self._owed()
        if owed:
            parts.append(f"Addressed to you and open:\n{self.tell(owed, budget // 4)}")
        asked = [one for one in await self._questions(room) if not _is_in(one, owed)]
        if asked:
            parts.append(f"Questions that nobody has answered:\n{self.tell(asked, budget // 6)}")
        left = max(budget // 4, budget - sum(map(len, parts)))
        new = [one for one in page.events if not _is_in(one, [*owed, *asked])]
        parts.append(self.news(new, page.reset is not None, left))
        return f"{DATA}\n" + "\n\n".join(parts) + f"\n\nNext time: since={page.since}"

    async def _all_since(self, rooms: list[str], since: str | None) -> FeedPage:
        """All that is new, however much, as one page."""
        feed, events = IFeed(self.backbone), list[FeedEvent]()
        page: FeedPage = await feed.read_feed(rooms, since, limit=AT_ONCE)
        reset = page.reset
        while page.events:
            events += page.events
            page = await feed.read_feed([one.partition(":")[0] for one in rooms], page.since, limit=AT_ONCE)
        return FeedPage(tuple(events), page.since, reset)

    def news(
        self, events: Sequence[FeedEvent], is_reset: bool, budget: int, *, names_room: bool = False
    ) -> str:
        """What is new: of posts the newest."""
        told = [
            Post(event.channel, event.cursor, event.message_json, names_room=names_room)
            for event in events
            if isinstance(event, FeedMessage)
        ]
        rooms = [event.channel for event in events if isinstance(event, ChannelMade)]
        parts = [f"New room: {one}." for one in rooms]
        if is_reset:
            parts.append("Where you were is not known here any more: this is from the beginning.")
        parts.append(self.tell(told, budget) if told else "No new posts.")
        return "\n".join(parts)

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
        page = None if inbox is None else await inbox.read_inbox(self.by)
        return [
            Post(one.channel, one.cursor, one.message_json, OWED_LENGTH, names_room=True)
            for one in (() if page is None else page.items)
        ]

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
                if message.reply_to is not None and message.type == "answer":
                    asked.pop(message.reply_to, None)
                elif _asks(message):
                    asked[message.msg_id] = Post(room.channel, number, message_json, QUESTION_LENGTH)
            start = page.cursor
        return list(asked.values())


def _is_in(one: Post | FeedEvent, posts: Sequence[Post]) -> bool:
    """Whether a post is among these."""
    return not isinstance(one, ChannelMade | BoardChanged) and any(
        (one.channel, one.cursor) == (other.channel, other.cursor) for other in posts
    )


def _asks(message: Message) -> bool:
    return message.type == "question" and message.status != "resolved"
