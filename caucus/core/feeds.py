"""What changed: who watches a channel is woken once what can be read there has grown."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.logger import Logger

from caucus.interfaces import IJournal

Wake = Callable[[], None]

_log = Logger("caucus")


class Feeds:
    """Who watches which channel; ``grown`` are the channels whose watchers are to be woken."""

    def __init__(self, journal: IJournal) -> None:
        self._journal = journal
        self._watchers: dict[str, list[Wake]] = {}
        self.grown: list[str] = []

    @property
    def is_watched(self) -> bool:
        """Whether anybody watches anything."""
        return bool(self._watchers)

    def watch(self, channel: str, pending: Iterable[int], wake: Wake) -> Callable[[], None]:
        """Call ``wake`` whenever the channel's durable head has advanced; returns what ends that.

        ``pending`` are the positions of its messages that are not durable yet.
        """
        watchers = self._watchers.setdefault(channel, [])
        watchers.append(wake)
        for position in pending:
            self._wake_when_durable(channel, position)  # it was recorded when nobody watched

        def end() -> None:
            watchers.remove(wake)
            if not watchers and self._watchers.get(channel) is watchers:
                del self._watchers[channel]

        return end

    def appended(self, channel: str, position: int) -> None:
        """The event at ``position``, just recorded, has brought a message."""
        if channel not in self._watchers:
            return
        if self._journal.durable >= position:
            self.grown.append(channel)
        else:
            self._wake_when_durable(channel, position)

    def decided(self) -> None:
        """A decision is whole: wake those who watch what it made longer."""
        while self.grown:
            self._wake(self.grown.pop())

    def undone(self) -> None:
        """Events were lost: whoever waits for one may have been told that nobody knows."""
        for channel in list(self._watchers):
            self._wake(channel)

    def _wake_when_durable(self, channel: str, position: int) -> None:
        # If it is lost, nothing became readable; the writer is told by its own wait.
        shown = self._journal.when_durable(position)
        shown.addCallbacks(lambda _: self._wake(channel), lambda _: None)

    def _wake(self, channel: str) -> None:
        for wake in list(self._watchers.get(channel, ())):
            try:
                wake()
            except Exception:
                _log.failure("A watcher failed")  # what it was told of is recorded all the same
