"""What a journal is, and how one is found. No code.

The errors named here are the classes of `caucus.errors`. Every operation answers through a
``Deferred``, also where the answer is there at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import Attribute, Interface

from caucus.errors import CaucusError
from caucus.model.events import Event


class IJournal(Interface):
    """Where a backbone's state lives: an ordered record of events.

    A backbone decides on the reactor's thread and records each decision as one event; the journal
    makes them durable in that order. It calls back on the reactor's thread only.

    **Failure.** When events that were recorded may be lost, the journal takes no more until it knows
    which were kept: those up to some position, and none after it. Then ``durable`` and ``position``
    are both there, the events after it are undone (see `replay`), their waits fail with
    `StorageUnavailable`, and it goes on when it can. If that takes too long, the waits fail with
    `OutcomeUnknown` before it is known.
    """

    position: int = Attribute("The position of the last event recorded: from 0, one more with each event.")
    durable: int = Attribute(
        "The position up to which every event is safe. It never falls and never passes ``position``."
    )
    refusal: CaucusError | None = Attribute(
        "Why no event is taken now, as a `StorageUnavailable`; ``None`` while they are. Cheap to read."
    )

    def replay(apply: Callable[[Event, bytes], None], undo: Callable[[int], None]) -> Deferred[None]:
        """Hand every event of earlier runs to ``apply``, in order; called once, before any `record`.

        It is given the event, and the evidence that was recorded with it.

        Fires when all were applied. ``position`` and ``durable`` then count them. Whenever events
        may have been lost later, ``undo`` is called once it is known, with the position of the last
        that was kept, before the waits for the others fail.
        """

    def record(event: Event, evidence: bytes = b"") -> int:
        """Take one event and return its position, at once; what makes it durable happens later.

        :param evidence: the bytes of an `EvidenceAdded`, kept beside it.

        Raises ``refusal`` if there is one: then nothing was recorded.
        """

    def when_durable(position: int) -> Deferred[None]:
        """Fires once ``durable`` has reached ``position``, in the order of the positions.

        Every call returns a Deferred of its own; cancelling it ends the wait, and never the write.
        `close` fires those that still wait. Fails with `StorageUnavailable` if the event is known
        not to have been kept, with `OutcomeUnknown` if that cannot be told.
        """

    def close() -> Deferred[None]:
        """Make what was recorded durable and let go of the store; fires when that is done.

        If that cannot be done in a few seconds, the waits fail with `OutcomeUnknown` and it fires.
        """


class IJournalFactory(Interface):
    """Opens journals of one scheme. Register one with ``twisted.plugin`` and ``--journal`` finds it.

    A provider also provides ``twisted.plugin.IPlugin`` and stands at the top of a module in
    ``twisted.plugins``.
    """

    scheme: str = Attribute("What stands before the colon of ``--journal scheme:rest``.")
    help: str = Attribute("One line on what it keeps and what ``rest`` is; the scheme is shown before it.")

    def open(rest: str, reactor: Any, clock: IReactorTime) -> Deferred[IJournal]:
        """Open the journal that ``rest`` names.

        :param reactor: provides ``IReactorTime`` and ``IReactorFromThreads``: what a journal that
            waits for a disk or a network lives on.
        :param clock: measures how long something takes.

        Fails with `ConfigurationError`, in one line, if it cannot be opened.
        """
