"""What the two doors of a journal have in common, whose turn is always there."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

from twisted.internet.defer import Deferred, fail, succeed

P = ParamSpec("P")
T = TypeVar("T")


def look_now(look: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Deferred[T]:
    """Reads at once: all that is durable anywhere is applied here."""
    try:
        return succeed(look(*args, **kwargs))
    except Exception:
        return fail()


def refuse_to_record() -> NoReturn:
    """Nothing is recorded but by a decision: what it rests on might be somebody else's by now."""
    raise RuntimeError("only the decision of a write may record an event")


def nobody_to_tell() -> None:
    """Nobody has asked for what there is."""


def nothing_to_undo(_kept: int) -> None:
    """Nothing was recorded before there was somebody who applies it."""
