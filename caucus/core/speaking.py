"""Who speaks, in an operation that names who does: that this is a sign of life is recorded in its step."""

from __future__ import annotations

from functools import lru_cache

from caucus.core.core import Core
from caucus.model.events import Author, Lived
from caucus.model.problems import identity_problems, refusal
from caucus.model.records import Identity


def speaker(core: Core, by: Identity, now: float) -> Author:
    """The agent who asks for what is decided ``now``. Raises `InvalidMessage` if no token stands for such."""
    names = (getattr(by, "agent_id", None), getattr(by, "owner", None))
    agent = _author(*names) if type(names[0]) is str is type(names[1]) else _no_author(*names)
    record_sign(core, agent, now)
    return agent


def record_sign(core: Core, agent: Author, now: float) -> None:
    """Record a sign of life of an agent, if its claims live by such and it was not just now."""
    if core.state.claims.leases.lacks_sign(agent, now):
        core.record(Lived(core.clock.instant(now), agent), now)


@lru_cache(maxsize=1024)
def _author(agent_id: str, owner: str) -> Author:
    problems = identity_problems(agent_id, owner)
    if problems:
        raise refusal(problems)
    return Author(agent_id, owner)


def _no_author(agent_id: object, owner: object) -> Author:
    raise refusal(identity_problems(agent_id, owner))
