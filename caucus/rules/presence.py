"""Who was heard of, when, and about which channels. Pure: time comes in."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from typing import Final

from caucus.model.events import Author, SeenAgent

KEPT_SECONDS: Final = 86_400
"""Whoever was not heard of for so long is forgotten."""
MOST_CHANNELS: Final = 32
"""So many channels of an agent are kept in mind: those that it asked about last."""


class _Heard:
    __slots__ = ("at", "channels")

    def __init__(self, at: float) -> None:
        self.at = at
        self.channels: dict[str, None] = {}

    def add(self, channel: str) -> None:
        channels = self.channels
        channels.pop(channel, None)
        channels[channel] = None
        if len(channels) > MOST_CHANNELS:
            del channels[next(iter(channels))]


class Heard:
    """When each agent was last heard of, up to ``most`` of them: who was quiet for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._agents: OrderedDict[Author, _Heard] = OrderedDict()
        self._untold: dict[Author, dict[str, None]] = {}

    def __len__(self) -> int:
        return len(self._agents)

    @property
    def has_untold(self) -> bool:
        """Whether somebody was heard of since `untold` was asked."""
        return bool(self._untold)

    def hear(self, agent: Author, at: float, channel: str = "") -> None:
        """A request of an agent came, about a channel if it names one."""
        heard = self._note(agent, at)
        untold = self._untold.get(agent)
        if untold is None:
            untold = self._untold[agent] = {}
        if channel:
            heard.add(channel)
            untold[channel] = None

    def untold(self, now: float) -> tuple[SeenAgent, ...]:
        """Those who were heard of since this was asked last."""
        untold, self._untold = self._untold, {}
        told = []
        for agent, channels in untold.items():
            heard = self._agents.get(agent)
            if heard is not None:
                known = tuple(name for name in channels if name in heard.channels)
                told.append(SeenAgent(agent, max(0, int(now - heard.at)), known))
        return tuple(told)

    def apply(self, seen: Iterable[SeenAgent], at: float) -> None:
        """They were heard of at some backbone, as was told ``at``."""
        for one in seen:
            heard = self._note(one.agent, at - one.seconds)
            for channel in one.channels:
                heard.add(channel)

    def seen(self, now: float) -> Iterator[tuple[Author, float, tuple[str, ...]]]:
        """Each agent, how many seconds ago it was heard of, and the channels, last heard of first."""
        agents = self._agents
        for agent in [one for one, heard in agents.items() if now - heard.at >= KEPT_SECONDS]:
            del agents[agent]
        listed = sorted(agents.items(), key=lambda item: -item[1].at)
        return ((agent, max(0.0, now - heard.at), tuple(heard.channels)) for agent, heard in listed)

    def dump(self) -> list[tuple[Author, float, list[str]]]:
        """All that is known, in the order in which it is forgotten; for `load`."""
        return [(agent, heard.at, list(heard.channels)) for agent, heard in self._agents.items()]

    def load(self, dumped: Iterable[tuple[Author, float, list[str]]]) -> None:
        """Know this."""
        for agent, at, channels in dumped:
            heard = self._note(agent, at)
            for channel in channels:
                heard.add(channel)

    def _note(self, agent: Author, at: float) -> _Heard:
        heard = self._agents.get(agent)
        if heard is None:
            heard = _Heard(at)
            if len(self._agents) >= self._most:
                longest, first = next(iter(self._agents.items()))
                if at < first.at:
                    return heard  # of whom is told late, and who was quiet for longer than all that are known
                del self._agents[longest]
                self._untold.pop(longest, None)
            self._agents[agent] = heard
        elif at >= heard.at:
            self._agents.move_to_end(agent)
            heard.at = at
        return heard
