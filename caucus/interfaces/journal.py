"""What a journal is, and how one is found. No code.

The errors named here are the classes of `caucus.errors`. Every operation answers through a
``Deferred``, also where the answer is there at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, TypeVarTuple, Unpack

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from zope.interface import Attribute, Interface

from caucus.errors import CaucusError
from caucus.model.events import Event

_Ts = TypeVarTuple("_Ts")
_T = TypeVar("_T")


class IJournal(Interface):
    """Where a backbone's state lives: one log of events, in order, which several backbones may extend.

    It has two doors. Whatever a backbone decides, it decides within a `write`, and whatever must not be
    staler than the call it looks up within a `read`. A journal that is its backbone's own calls both at
    once; one that is shared has to take a turn first. It calls on the reactor's thread only.

    **Failure.** When events that were recorded may be lost, the journal takes no more until it knows
    which were kept: those up to some position, and none after it. Then ``durable`` and ``position``
    are both there, the events after it are undone (see `replay`), the writes that wait for them fail
    with `StorageUnavailable`, and it goes on when it can. If that takes too long, they fail with
    `OutcomeUnknown` before it is known.
    """

    journal_id: str = Attribute(
        "Names the log, in 1 to 64 lower-case hexadecimal digits: positions of another one are told by it."
    )
    position: int = Attribute("The position of the last event applied here: from 0, one more with each.")
    durable: int = Attribute(
        "The position up to which every event is applied here, and safe: what may be shown. "
        "It never falls and never passes ``position``."
    )
    refusal: CaucusError | None = Attribute(
        "Why every write is refused now, as a `StorageUnavailable`; ``None`` while they are not."
    )

    def replay(
        apply: Callable[[Event, bytes, int], None],
        undo: Callable[[int], None],
    ) -> Deferred[None]:
        """Hand over every event of earlier runs, in order; called once, before any `write`.

        :param apply: takes an event, the evidence that was recorded with it, and its position: now, and
            whenever another backbone's event has come later.
        :param undo: is called, whenever events may have been lost and once it is known which, with the
            position of the last that was kept, before the writes that wait for the others fail.

        Fires when all were applied. ``position`` and ``durable`` then count them.
        """

    def follow(advanced: Callable[[], None]) -> None:
        """Call ``advanced`` whenever ``durable`` has advanced.

        No decision is under way then, and the writes that wait for it have not fired yet.
        """

    def write(decide: Callable[[Unpack[_Ts]], _T], *args: *_Ts) -> Deferred[_T]:
        """Call ``decide`` once, with the other arguments, and fire with what it gives or raises.

        It is called in the order of the calls, at once or when the turn has come, with everything applied
        that was recorded before, by anybody. It may `record` events, as one step, and must not
        wait. It fires once everything that was recorded up to then is durable, those that wait in the
        order in which they were decided: what was refused may rest on it too. A step's events are kept
        all or none. Cancelling it ends the wait, and neither the decision nor its events.

        Fails with ``refusal``, undecided, where there is one.
        """

    def read(look: Callable[[Unpack[_Ts]], _T], *args: *_Ts) -> Deferred[_T]:
        """Call ``look`` once all that was durable anywhere is applied here; fire with what it gives."""

    def record(event: Event, evidence: bytes = b"") -> int:
        """Take one event and return its position, at once; what makes it durable happens later.

        Only the ``decide`` of a `write` may call it, and applies the event itself.

        :param evidence: the bytes of an `EvidenceAdded`, kept beside it.
        """

    def close() -> Deferred[None]:
        """Make what was recorded durable and let go of the store; fires when that is done.

        From the call on nothing more is taken: ``refusal`` says so, and a `read` that cannot be
        answered any more fails with it. What waits for its turn is decided, if that comes in time.
        If it cannot be done in a few seconds, the writes that wait fail with `OutcomeUnknown` and it fires.
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
