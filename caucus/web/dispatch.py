"""What comes before the routes, in the contract's order of refusals: the path, then the JSON."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import lru_cache, partial
from inspect import iscoroutine
from typing import Any, Final, cast
from urllib.parse import quote

from attrs import evolve
from twisted.internet.defer import CancelledError
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET

from caucus.edge.body import JSON_BODY, BodyCap
from caucus.edge.place import Body, Place
from caucus.edge.request import Request
from caucus.errors import CaucusError, InvalidRequest
from caucus.model.drafts import read_draft
from caucus.web.routes import Routes, is_artifact, is_message, is_stream
from caucus.web.table import Table, endpoint_of
from caucus.web.uncancelled import may_be_given_up
from caucus.wire.jsontext import decode_given
from caucus.wire.paths import authority, segments

PLACES: Final = 1024
PLACE_LENGTH: Final = 512
"""So many targets, of at most so many bytes, are remembered with where they lead."""


class Dispatch:
    """Takes every request of a server to its route, whichever listener it came in by."""

    def __init__(self, routes: Routes) -> None:
        self._routes = routes
        self._table = Table(routes.app.url_map)
        self._endpoints: dict[str, tuple[Callable[..., Any], bool]] = {}
        for rule in routes.app.url_map.iter_rules():
            endpoint = getattr(routes, rule.endpoint)
            self._endpoints[rule.endpoint] = (endpoint, may_be_given_up(endpoint))
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
            return evolve(JSON_BODY, refuse=partial(InvalidRequest, refusal.problem))
        return self._routes.admit(request)

    def knows(self, request: Request) -> bool:
        """Whether a request has a token that may write."""
        return self._routes.knows(request)

    def handle(self, request: Request) -> None:
        """Answer a request by the table of routes."""
        try:
            place = read(request)
            endpoint, ends_with_peer = self._endpoints[endpoint_of(place.endpoints, request.method)]
            answer = endpoint(request, *place.arguments)
        except Exception:
            self._fail(Failure(), request)
            return
        if iscoroutine(answer):
            self._go_on(None, answer, request, ends_with_peer)
        else:
            _send(answer, request)

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
            answer = stop.value
        except CancelledError:
            if not request.is_gone:
                self._fail(Failure(), request)
            return
        except Exception:
            self._fail(Failure(), request)
            return
        else:
            if ends_with_peer:
                request.waits_for = waiting
            waiting.addBoth(self._go_on, route, request, ends_with_peer)
            return
        try:
            _send(answer, request)
        except Exception:
            request.processingFailed(Failure())

    def _find(self, target: bytes) -> Place:
        path = segments(target)
        body: Body = "json"
        if is_message(path):
            body = "message"
        elif is_artifact(path) or is_stream(path):
            body = "opaque"
        endpoints, arguments = self._table.find(path)
        return Place(tuple(path), endpoints, arguments, body)

    def _fail(self, failure: Failure, request: Request) -> None:
        if request.startedWriting:
            request.processingFailed(failure)
        else:
            request.send(self._routes.refuse(request, failure))


class PlainDispatch(Resource):
    """As `Dispatch.handle`, by Klein's own resource."""

    isLeaf = True

    def __init__(self, routes: Routes) -> None:
        super().__init__()
        self._tree = routes.resource()

    def render(self, request: Any) -> int:
        try:
            place = read(request)
        except CaucusError as refusal:
            request.send(request.refusal(refusal))
        else:
            # Klein joins what it finds here by slashes; quoted again, %2F stays inside its segment.
            request.postpath = [quote(segment, safe="").encode() for segment in place.segments]
            self._tree.render(request)
        return NOT_DONE_YET


def read(request: Request) -> Place:
    """Read a request's body as its path has it; gives where that leads.

    Raises `InvalidRequest` if the path could not be decoded, and `InvalidJson`.
    """
    place = request.place
    if place is None:
        raise request.cap.refuse()
    body = request.body()
    if body and place.body != "opaque":
        request.draft = read_draft(body) if place.body == "message" else None
        if request.draft is None:
            request.json_value = decode_given(body)
    return place


def _send(answer: bytes | IResource, request: Request) -> None:
    if isinstance(answer, bytes):
        request.send(answer)
    else:
        answer.render(request)
