"""What a backbone may provide beside `IBackbone`: who is there, and what became of what was said. No code."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from zope.interface import Interface

from caucus.model.presence import Acknowledged, InboxPage, Presence, ToldMessage, Whoami
from caucus.model.records import Identity


class IPresence(Interface):
    """Who is there. Nobody declares it: it is what was seen of requests, and so it cannot lie."""

    def who(channel: str | None = None) -> Deferred[list[Presence]]:
        """Every agent of which a request came within 24 hours, up to ``max_tracked_agents``, last seen first.

        :param channel: only those who asked about this channel; of each agent the last 32 are known.

        ``seen_ago`` is good at every backbone over the log, within 15 seconds, and after a restart;
        ``streams`` are open at the one that answers. Fails with `InvalidChannelName`, `UnknownChannel`.
        """

    def whoami(by: Identity) -> Deferred[Whoami]:
        """What an agent has, and may do before it is refused. Over HTTP the token says who that is."""


class IInbox(Interface):
    """What is addressed to whom, and what became of it.

    A message with ``to`` is owed to each name in it, an agent's or an owner's, once. For each it is ``sent``;
    ``served``, when it was shown to an agent of that name; ``acked``; and ``answered``, when somebody of that
    name has said something with its ``msg_id`` as ``reply_to``, in its channel. It never goes back.
    ``served`` is told to other backbones, and kept, within 15 seconds, and so may be lost; the others are
    durable. What was said before a log was written by a version that knows of this is not owed.
    """

    def read_inbox(
        by: Identity, *, since: str | None = None, wait: float = 0, everything: bool = False
    ) -> Deferred[InboxPage]:
        """What is owed to an agent or its owner, and is neither acked nor answered, oldest first.

        It is of all channels.

        :param since: a position, of a page of this or of a feed: only what came after it. One that is not
            known here is no position.
        :param wait: where there is nothing, answers once there is, or after so many seconds, 0 to 50.
        :param everything: also what is acked or answered.

        There are 100 items at most, and ``max_read_limit``: the page's ``since`` leads to the next. Reading
        consumes nothing. Fails with `InvalidRequest`, and `InvalidMessage` for what is no agent.
        """

    def ack(channel: str, cursor: int, by: Identity) -> Deferred[Acknowledged]:
        """An agent has taken note of a message, by both its names; doing so again is nothing.

        :param cursor: the one that `IBackbone.append` answered for it.

        Checked in this order: the agent; the channel; `InvalidCursor` for what is no message's; `Forbidden`
        if it is addressed to neither name.
        """

    def get_message(channel: str, cursor: int) -> Deferred[ToldMessage]:
        """The message with this cursor, and what became of it for each name that it is owed to.

        ``unreachable`` are the names in its ``to`` that no token of this backbone bears, and under which
        nobody has written. Fails with `NotFound` if there is no such message.
        """


class IAlive(Interface):
    """What a backbone may provide beside `IPresence`: it is told of what its agents do."""

    def heard_of(by: Identity, channel: str = "") -> None:
        """A request of an agent has come, whatever it asks for, and about which channel, if about one.

        It is a sign of life, for claims too. Nothing waits for what that means.
        """

    def showed(by: Identity, channel: str, start: int, end: int) -> None:
        """The messages of a channel between two cursors were shown to an agent."""

    def opened(by: Identity) -> Callable[[], None]:
        """An agent has opened a stream; returns what says that it is gone."""


class ISessions(Interface):
    """What a backbone may provide beside `IFeed`: it keeps in mind how far each session was told.

    A session is an agent's, by whatever name its harness gives it; two of one agent are two. The 4,096 that
    were told of last are known, at every backbone over the log.
    """

    def told_up_to(by: Identity, session: str, channel: str) -> Deferred[str | None]:
        """The position up to which a session was told what is new of a channel, if one is known."""

    def note_told(by: Identity, session: str, channel: str, since: str) -> Deferred[None]:
        """A session was told up to a position. It never goes back; a position that is not known is none."""
