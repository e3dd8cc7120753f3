"""The bell: whoever has written rings it, and whoever hears it looks for what there is.

It is rung in a transaction of its own, after the commit: one that notifies takes a lock over the whole
cluster while it commits.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from caucus.journals.postgres.link import Link
from caucus.journals.postgres.session import Session


class Bell:
    """Rings, and hears the others.

    :param name: this one's, by which it knows its own ringing.
    :param heard: is called when another one has rung.
    """

    def __init__(self, name: str, heard: Callable[[], None]) -> None:
        self.session: Session
        self._name = name.encode()
        self._heard = heard
        self._is_ringing = self._is_wanted = False

    def begin(self, link: Link) -> Deferred[Any]:
        """Listen."""
        self._is_ringing = self._is_wanted = False
        return link.run(("unsafe", ()), ("listen", ()))

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
