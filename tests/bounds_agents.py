"""The bounds of what is known of agents' sessions."""

from __future__ import annotations

from caucus.agents.hooks import Throttle
from caucus.rules.sessions import MOST, Sessions
from tests.bounds import reaches


@reaches("sessions of agents that were told news")
def _sessions() -> None:
    sessions = Sessions()
    for number in range(MOST + 10):
        sessions.told(b"%016d" % number, number, 1, 1, lambda *_: None)
    assert len(sessions.dump()) == MOST
    assert sessions.place(b"%016d" % 9) is None
    assert sessions.place(b"%016d" % 10) == 10


@reaches("sessions whose news are paced")
def _paced() -> None:
    throttle = Throttle()
    for number in range(1025):
        throttle.tells((str(number),), 0)
    assert throttle.may(("0",), 1)
    assert not throttle.may(("1",), 1)
