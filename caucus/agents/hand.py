"""By what a tool acts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import frozen
from twisted.internet.defer import Deferred

from caucus.agents.desk import Desk
from caucus.agents.hooks import Hook
from caucus.agents.takes import Fields


@frozen
class Hand:
    """By what a tool acts.

    :param desk: what is told to whom.
    :param write: has the backbone do an operation that writes, by its name, once for each call that is known.
    :param room: the room where none is said; empty for the only one.
    :param patient: is told that the answer may come much later.
    :param seconds: measures how long.
    :param count: takes a tool's name, and what came of a call: ``done``, or a refusal's code.
    :param hook: gives what answers what happens in the agent's session, where a harness asks by a tool.
    :param is_known: whether the call may have been done before, under its key.
    """

    desk: Desk
    write: Callable[..., Deferred[Any]]
    room: str
    patient: Callable[[], None]
    seconds: Callable[[], float]
    count: Callable[[str, str], None]
    hook: Callable[[], Hook]
    is_known: bool = False

    async def place(self, given: Fields) -> str:
        """The room that a call is about."""
        return (await self.desk.room(given.room or self.room)).channel
