"""Routes that write go on when their peer has gone: what was begun is done, audited and kept."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from caucus.edge.request import Request
from caucus.errors import CaucusError

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
Route = Callable[Concatenate[S, Request, P], Coroutine[Any, Any, T]]

_log = Logger("caucus.web")


def uncancelled(route: Route[S, P, T]) -> Callable[Concatenate[S, Request, P], Any]:
    """Have a route run to its end, whatever becomes of the Deferred that stands for it.

    Klein cancels that when the peer goes, and the cancellation would come out of whatever the route
    waits for, such as a journal. Any other route is cancelled then, on both transports.
    """

    @wraps(route)
    def started(self: S, request: Request, /, *args: P.args, **kwargs: P.kwargs) -> Any:
        running = route(self, request, *args, **kwargs)
        return _shielded(Deferred.fromCoroutine(running)) if request.cancels else running

    started.goes_on = True  # type: ignore[attr-defined]  # as `may_be_given_up` asks
    return started


def may_be_given_up(route: object) -> bool:
    """Whether a route may end where it waits, since it writes nothing."""
    return not hasattr(route, "goes_on")


def _shielded(running: Deferred[T]) -> Deferred[T]:
    """Fires as ``running`` does, which goes on when this is cancelled."""
    waiting: Deferred[T] = Deferred()

    def tell(outcome: T | Failure) -> None:
        if not waiting.called:
            waiting.callback(outcome)
        elif isinstance(outcome, Failure) and not outcome.check(CaucusError):
            _log.failure("A request failed whose peer has gone", failure=outcome)

    running.addBoth(tell)
    return waiting
