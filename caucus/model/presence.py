"""Who is there, what a client can know before it is refused, and what became of what was said."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, get_args

from caucus.model.messages import Message
from caucus.model.records import Identity, Result

State = Literal["sent", "served", "acked", "answered"]
"""What became of a message for one of those whom it is addressed to, in this order."""
STATES: Final[tuple[State, ...]] = get_args(State)


class Presence(Result, frozen=True):
    """An agent of which a request came ``seen_ago`` seconds ago.

    ``streams`` are open at the daemon that answers. ``channels`` are those that it asked about. ``holding``
    and ``waiting`` count its claims, over all channels.
    """

    agent_id: str
    owner: str
    seen_ago: int
    streams: int
    channels: tuple[str, ...]
    holding: int
    waiting: int

    @property
    def identity(self) -> Identity:
        """Whose it is."""
        return Identity(self.agent_id, self.owner)


class Budget(Result, frozen=True, omit_defaults=True):
    """What is ``left`` of ``limit`` charges within ``window`` seconds; of one channel, if it is of one."""

    scope: Literal["channel", "all_channels", "channel_creates"]
    limit: int
    left: int
    window: int
    channel: str | None = None


class Whoami(Result, frozen=True):
    """Who speaks, and what may be refused.

    ``ends`` is when the token ends, if it does by itself. A budget of a channel is told where some of it is
    spent; ``limits`` are the caps that a client may meet, by the names of their options.
    """

    agent_id: str
    owner: str
    ends: str | None
    holding: int
    waiting: int
    budgets: tuple[Budget, ...]
    limits: Mapping[str, int]


class InboxItem(Result, frozen=True):
    """A message that is owed to the caller's agent or owner, and what became of it."""

    channel: str
    cursor: int
    message_json: bytes
    state: State

    @property
    def message(self) -> Message:
        """The stored message."""
        return Message.from_json(self.message_json)


class InboxPage(Result, frozen=True):
    """What is owed, oldest first, and the position after it."""

    items: tuple[InboxItem, ...]
    since: str


class Acknowledged(Result, frozen=True):
    """The caller has taken note of a message."""

    acked: Literal[True] = True


class Receipt(Result, frozen=True):
    """What became of a message for one name, which was seen ``seen_ago`` seconds ago, if it was."""

    name: str
    state: State
    seen_ago: int | None


class ToldMessage(Result, frozen=True):
    """One message, with what became of it, and the names in its ``to`` that nobody here has."""

    channel: str
    cursor: int
    message_json: bytes
    receipts: tuple[Receipt, ...]
    unreachable: tuple[str, ...]

    @property
    def message(self) -> Message:
        """The stored message."""
        return Message.from_json(self.message_json)
