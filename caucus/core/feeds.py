"""What changed: who watches is woken once for all that can be seen now and could not before."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from twisted.logger import Logger

from caucus.interfaces import IJournal
from caucus.model.events import ChannelCreated, ClaimsChanged, Event, RunBegan, Said, Stepped
from caucus.rules.receipts import is_addressed, read_addressed

Wake = Callable[[], None]
Kind = Literal["channel", "message", "claims", "claim", "addressed"]
"""What can change.

There is a new channel; a channel's log has grown, or its claims are not what they were; the lease claim with
a number is not what it was; there is a message that is addressed to a name.
"""

_log = Logger("caucus")


_Watchers = dict["_Watcher", None]
"""In the order in which they came: one of a thousand goes as quickly as it came."""


class _Watcher:
    """Who watches what, until that is over."""

    __slots__ = ("_kinds", "_places", "_watched", "is_over", "wake")

    def __init__(
        self,
        watched: dict[Kind, dict[str, _Watchers]],
        kinds: Iterable[Kind],
        places: Iterable[str],
        wake: Wake,
    ) -> None:
        self.wake = wake
        self.is_over = False
        self._watched = watched
        self._kinds = tuple(kinds)
        self._places = tuple(places)
        for kind in self._kinds:
            there = watched.setdefault(kind, {})
            for place in self._places:
                there.setdefault(place, {})[self] = None

    def end(self) -> None:
        """It watches no more."""
        if self.is_over:
            return
        self.is_over = True
        for kind in self._kinds:
            there = self._watched[kind]
            for place in self._places:
                watchers = there[place]
                watchers.pop(self, None)
                if not watchers:
                    del there[place]
            if not there:
                del self._watched[kind]


class Feeds:
    """Who watches what, and what was applied that nobody could see yet.

    A decision is whole, and the journal has said that it is durable, before anybody is woken.
    """

    def __init__(self, journal: IJournal) -> None:
        self.last_seen = 0.0
        """When the last event that can be seen was decided, in seconds since the epoch; 0 without any."""
        self._journal = journal
        self._watchers: dict[Kind, dict[str, _Watchers]] = {}
        self._unseen: deque[tuple[int, Event]] = deque()

    def watch(self, kinds: Iterable[Kind], places: Iterable[str], wake: Wake) -> Callable[[], None]:
        """Call ``wake`` whenever something of these kinds has changed; returns what ends that.

        :param places: which channels', or which claims', each different; an empty one stands for all.
        """
        return _Watcher(self._watchers, kinds, places, wake).end

    def applied(self, event: Event, position: int, durable: int) -> None:
        """An event was applied, which is at ``position``; ``advanced`` may come only later."""
        if position > durable or self._watchers:
            self._unseen.append((position, event))
        else:
            self.last_seen = event.when.wall

    def advanced(self) -> None:
        """More is durable: wake those who watch what can be seen now."""
        unseen, durable = self._unseen, self._journal.durable
        if not unseen or unseen[0][0] > durable:
            return
        seen: list[Event] = []
        while unseen and unseen[0][0] <= durable:
            seen.append(unseen.popleft()[1])
        self.last_seen = seen[-1].when.wall
        if not self._watchers:
            return
        for watcher in self._watching(seen):
            try:
                if not watcher.is_over:
                    watcher.wake()
            except Exception:
                _log.failure("A watcher failed")  # what it was told of is durable all the same

    def undone(self, kept: int) -> None:
        """The events after the position ``kept`` were lost."""
        while self._unseen and self._unseen[-1][0] > kept:
            self._unseen.pop()

    def _watching(self, seen: Iterable[Event]) -> Iterable[_Watcher]:
        """Those who watch what these events have changed, each once."""
        changed = dict.fromkeys(change for event in seen for change in _changes(event))
        return dict.fromkeys(
            watcher
            for kind, place in changed
            if kind in self._watchers
            for watched in (place, "")
            for watcher in self._watchers[kind].get(watched, ())
        )


def _changes(event: Event) -> Iterator[tuple[Kind, str]]:
    match event:
        case Stepped(said=said, moved=moved):
            yield from _said(said)
            yield from (("claims", one.channel) for one in moved)
        case ClaimsChanged(said=said, moved=moved, changed=changed):
            yield from _said(said)
            yield from (("claims", one.channel) for one in (*moved, *changed))
            yield from (("claim", str(one.claim)) for one in changed)
        case RunBegan(extended=moved):
            yield from (("claims", one.channel) for one in moved)
        case ChannelCreated(descriptor=descriptor):
            yield "channel", descriptor.channel


def _said(said: Iterable[Said]) -> Iterator[tuple[Kind, str]]:
    for one in said:
        yield "message", one.channel
        if is_addressed(one.message_json):
            yield from (("addressed", name) for name in read_addressed(one.message_json).to)
