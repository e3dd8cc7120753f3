"""Every request is judged, and taken to its route."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import lru_cache, partial
from typing import Any, Final, cast

from attrs import evolve
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from caucus.edge.body import JSON_BODY, BodyCap
from caucus.edge.place import Place
from caucus.edge.request import Request
from caucus.edge.response import Response, failed
from caucus.errors import InvalidRequest
from caucus.web.operation import Gate, answered
from caucus.web.routes.every import ROUTES
from caucus.web.routes.serving import Serving, is_here
from caucus.web.table import Table
from caucus.wire.operation import Operation
from caucus.wire.operations import ACTIONS, OPERATIONS
from caucus.wire.paths import authority, segments

PLACES: Final = 1024
PLACE_LENGTH: Final = 512
"""So many targets, of at most so many bytes, are remembered with where they lead."""


class Dispatch:
    """Takes every request of a server to its route, whichever listener it came in by."""

    def __init__(self, gate: Gate, serving: Serving) -> None:
        self.gate = gate
        self.serving = serving
        self._table = Table(OPERATIONS, ACTIONS)
        self._place = lru_cache(maxsize=PLACES)(self._find)

    def admit(self, request: Request) -> BodyCap:
        """The cap of the request's body, once the door let it in.

        A path that cannot be decoded outranks a body too large.
        """
        target = request.uri
        request.door.check(authority(target), request.values(b"host"), request.values(b"origin"))
        try:
            request.place = self._place(target) if len(target) <= PLACE_LENGTH else self._find(target)
        except InvalidRequest as refusal:
            self.gate.hear(request)
            return evolve(JSON_BODY, refuse=partial(InvalidRequest, refusal.problem))
        self.gate.hear(request)
        return self.gate.admit(request)

    def knows(self, request: Request) -> bool:
        """Whether a request has a token that may write."""
        return self.gate.speaker(request) is not None

    def handle(self, request: Request) -> None:
        """Answer a request."""
        if self.serving.following is None:
            self._handle(request)
        else:
            self.once_known(request, self._handle)

    def once_known(self, request: Request, handle: Callable[[Request], None]) -> None:
        """Go on with a request: where its bearer is not known yet, once it is known whether it is good."""
        following = self.serving.following
        if following is not None and self.gate.may_come(request):
            following.catch_up().addBoth(lambda _: None if request.is_gone else handle(request))
        else:
            handle(request)

    def _handle(self, request: Request) -> None:
        try:
            operation = self.gate.judge(request)
            place: Any = request.place
            answering = ROUTES[operation.name](self.serving, request, *place.arguments)
            if isinstance(answering, Deferred) and is_here(answering):
                answering = answered(operation, answering.result)
        except Exception:
            request.processingFailed(Failure())
            return
        reads = not operation.writes
        if isinstance(answering, Response):
            self._respond(request, answering, reads)
        elif isinstance(answering, Deferred):
            answering.addBoth(self._end, request, operation)
        else:
            self._go_on(None, answering, request, reads)

    def _end(self, result: Any, request: Request, operation: Operation[Any]) -> None:
        """What a request asked for is done, or failed."""
        try:
            response = failed(result) if isinstance(result, Failure) else answered(operation, result)
        except Exception:
            response = failed(Failure())
        self._respond(request, response, not operation.writes)

    def _go_on(
        self, result: object, route: Coroutine[Any, Any, Any], request: Request, ends_with_peer: bool
    ) -> None:
        """Run a route to its end or to where it waits; a Deferred of its own would cost as much again.

        What it waits for is cancelled once nobody waits for it, where that is safe.
        """
        if request.waits_for is not None:
            request.waits_for = None
        try:
            if isinstance(result, Failure):
                waiting = result.throwExceptionIntoGenerator(cast("Any", route))
            else:
                waiting = route.send(None)  # the Deferred that it waited for has the result still
        except StopIteration as stop:
            response = stop.value
        except CancelledError:
            if request.is_gone:
                return
            response = failed(Failure())
        except Exception:
            response = failed(Failure())
        else:
            if ends_with_peer or request.is_awaited:
                request.waits_for = waiting
            waiting.addBoth(self._go_on, route, request, ends_with_peer)
            return
        self._respond(request, response, ends_with_peer)

    def _respond(self, request: Request, response: Response, reads: bool) -> None:
        try:
            request.respond(self.serving.dated(response) if reads else response)
        except Exception:
            request.processingFailed(Failure())

    def _find(self, target: bytes) -> Place:
        return self._table.place(segments(target))
