"""What the two doors of a journal have in common, whose turn is always there."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar, TypeVarTuple, Unpack

from twisted.internet.defer import Deferred, fail, succeed

Ts = TypeVarTuple("Ts")
T = TypeVar("T")


def look_now(look: Callable[[Unpack[Ts]], T], *args: *Ts) -> Deferred[T]:
    """Reads at once: all that is durable anywhere is applied here."""
    try:
        return succeed(look(*args))
    except Exception:
        return fail()


def refuse_to_record() -> NoReturn:
    """Nothing is recorded but by a decision: what it rests on might be somebody else's by now."""
    raise RuntimeError("only the decision of a write may record an event")


def nobody_to_tell() -> None:
    """Nobody has asked for what there is."""


def nothing_to_undo(_kept: int) -> None:
    """Nothing was recorded before there was somebody who applies it."""
