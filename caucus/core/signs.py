"""Signs of life: that an agent was heard of, recorded beside what it asks for."""

from __future__ import annotations

from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.core.core import Core
from caucus.core.speaking import record_sign
from caucus.errors import CaucusError
from caucus.model.events import Author, RequestKey

_log = Logger("caucus")


def record_beside(core: Core, agent: Author) -> None:
    """A request of an agent has come, whose claims live by such: record that; nothing waits for it."""
    if agent in core.signs or core.journal.refusal is not None:
        return
    core.signs.add(agent)

    def end(result: Failure | None) -> None:
        core.signs.discard(agent)
        if isinstance(result, Failure) and not result.check(CaucusError):
            _log.failure("A sign of life could not be recorded", failure=result)

    core.write(sign_of_life, None, agent).addBoth(end)


def sign_of_life(core: Core, _request: RequestKey | None, now: float, agent: Author) -> None:
    record_sign(core, agent, now)
