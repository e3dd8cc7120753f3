"""What a backbone may provide beside `IBackbone`: one feed of any number of channels. No code."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence

from twisted.internet.defer import Deferred
from zope.interface import Interface

from caucus.model.feed import Begun, FeedEvent, FeedPage, FeedReset, FeedSlice, Place
from caucus.model.views import View


class IFeed(Interface):
    """What becomes readable, over any number of channels, in the order of the one log.

    **Channels** are given as names; as ``name:cursor``, which begins there and not at the head; or as ``*``,
    which is all, later ones too, and the default. With ``*`` some may be named beside it, to say where they
    begin. A cursor beyond the head is of a log that was lost: that channel begins at its earliest message.

    **Events** are a `FeedMessage`, whose ``cursor`` is the one that `IBackbone.append` answered for it; a
    `ChannelMade`; and a `BoardChanged`, at most one for a channel in one answer: its claims are not what they
    were, and no message says so. That an agent goes on living is none.

    **A position** is text that says where in the log a reader is. It is the same for every reader, good at
    every backbone over the log, and good for other channels than it was given out for. One of another log,
    one that cannot be read, or one beyond what is durable anywhere, is a *reset*: every channel begins at its
    earliest message, and is named.

    Fails with `InvalidChannelName`, `UnknownChannel`, and `InvalidRequest` for what is no such thing.
    """

    def read_feed(
        rooms: Sequence[str] = (), since: str | None = None, *, wait: float = 0, limit: int | None = None
    ) -> Deferred[FeedPage]:
        """What has become readable since a position, and the position after it.

        :param since: a position; without one it begins at the head, or at the cursors that ``rooms`` say.
        :param wait: where there is nothing, answers once there is, or after so many seconds, 0 to 50.
            Cancelling it while it waits answers with what there is.
        :param limit: the most events, a positive integer; 100 without, and at most ``max_read_limit``. Fewer
            come if they are long.
        """

    def feed(rooms: Sequence[str] = (), since: str | None = None) -> AsyncIterator[FeedEvent | FeedReset]:
        """The same as an asynchronous iterator: each event once, as it becomes readable; nothing is lost.

        It begins when it is first asked. Its ``since`` is the position after what was handed out last; a
        `FeedReset` comes before what follows one. Leave it with ``aclose()``, or by ``async with``.
        """


class IWatchableFeed(Interface):
    """What a backbone may provide beside `IFeed`: live feeds are pushed where it does."""

    def watch_feed(wake: Callable[[], None]) -> Callable[[], None]:
        """Call ``wake`` whenever there is more for some feed, in that turn; returns what ends that."""

    def begin_feed(view: View, since: str | None) -> Deferred[Begun]:
        """Where a reader begins."""

    def look_on(view: View, place: Place, limit: int, size: int, end: int | None = None) -> FeedSlice:
        """What a reader at a place has not seen: at once, of what is known here.

        At most so many events, which end with the message that makes them ``size`` bytes long; none is
        beyond the place ``end``.
        """
