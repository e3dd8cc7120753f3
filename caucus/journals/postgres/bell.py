"""The bell: whoever has written rings it, and whoever hears it looks for what there is.

It is rung in a transaction of its own, after the commit: one that notifies takes a lock over the whole
cluster while it commits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from caucus.journals.postgres.applied import Applied
from caucus.journals.postgres.beginning import begin_reading
from caucus.journals.postgres.link import Link
from caucus.journals.postgres.session import Session


class Bell:
    """Rings, and hears the others.

    :param applied: knows with which server to be.
    :param name: this one's, by which it knows its own ringing.
    :param heard: is called when another one has rung.
    """

    def __init__(self, applied: Applied, name: str, heard: Callable[[], None]) -> None:
        self.session: Session
        self._applied = applied
        self._name = name.encode()
        self._heard = heard
        self._is_ringing = self._is_wanted = False

    def begin(self, link: Link) -> Deferred[Any]:
        """Listen, where turns are taken."""
        self._is_ringing = self._is_wanted = False
        beginning = Deferred.fromCoroutine(begin_reading(link, self._applied))
        return beginning.addCallback(lambda _: link.run(("unsafe", ()), ("listen", ())))

    def ring(self) -> None:
        """Tell the others that there is more; what is rung meanwhile is rung once, after this."""
        if self._is_ringing or self.session.link is None:
            self._is_wanted = True
            return
        self._is_ringing, self._is_wanted = True, False
        self.session.run(("ring", (self._name,))).addBoth(self._rang)

    def heard(self, said: bytes) -> None:
        """Somebody rang."""
        if said != self._name:
            self._heard()

    def _rang(self, _result: object) -> None:
        self._is_ringing = False
        if self._is_wanted:
            self.ring()
