"""The Klein tree: each row of the table of operations, with its route."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import Any, cast
from urllib.parse import unquote

from klein import Klein
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET
from werkzeug.routing import UnicodeConverter

from caucus.edge.request import Request
from caucus.edge.response import Response, failed
from caucus.errors import CaucusError
from caucus.web.operation import answered
from caucus.web.routes.every import ROUTES
from caucus.web.routes.serving import Route, Serving
from caucus.wire.operation import Operation
from caucus.wire.operations import OPERATIONS

_log = Logger("caucus.web")


class Segment(UnicodeConverter):
    """A variable segment, decoded only now: before, it would not stay one segment if it held a slash."""

    def to_python(self, value: str) -> str:
        return unquote(value)


class Answer(Resource):
    """A response, as what Klein renders."""

    isLeaf = True

    def __init__(self, response: Response) -> None:
        super().__init__()
        self._response = response

    def render(self, request: Request) -> int:
        request.respond(self._response)
        return NOT_DONE_YET


def klein_app(serving: Serving) -> Klein:
    """The routes, for requests that have been judged."""
    app = Klein()
    app.url_map.converters["default"] = Segment
    for operation in OPERATIONS:
        rule = "/" + "/".join(one.replace("{", "<").replace("}", ">") for one in operation.segments)
        route = _endpoint(serving, operation, ROUTES[operation.name])
        app.route(rule, methods=[operation.method], endpoint=operation.name)(route)

    @app.handle_errors(Exception)
    def refuse(request: IRequest, failure: Failure) -> IResource:  # noqa: ARG001
        return cast("IResource", Answer(failed(failure)))

    # Werkzeug lets HEAD in wherever GET is; the protocol has no such method (405).
    for known in app.url_map.iter_rules():
        known.methods = (known.methods or set()) - {"HEAD"}
    # Werkzeug imports a codec when it binds first, which fails once descriptors have run out.
    app.url_map.bind("localhost")
    return app


def _endpoint(serving: Serving, operation: Operation[Any], route: Route) -> Any:
    def endpoint(request: Request, **variables: str) -> Deferred[Answer]:
        running = _running(operation, route(serving, request, **variables))
        if operation.writes:
            return _shielded(running).addCallback(Answer)
        return running.addCallback(serving.dated).addCallback(Answer)

    return endpoint


def _running(
    operation: Operation[Any], answering: Response | Deferred[Any] | Coroutine[Any, Any, Response]
) -> Deferred[Response]:
    if isinstance(answering, Response):
        return succeed(answering)
    if isinstance(answering, Deferred):
        return answering.addCallback(partial(answered, operation))
    return Deferred.fromCoroutine(answering)


def _shielded(running: Deferred[Response]) -> Deferred[Response]:
    """Fires as ``running`` does, which goes on when this is cancelled.

    Klein cancels what a route returns when the peer goes, and the cancellation would come out of
    whatever the route waits for, such as a journal. What was begun is done, audited and kept.
    """
    waiting: Deferred[Response] = Deferred()

    def tell(outcome: Response | Failure) -> None:
        if not waiting.called:
            waiting.callback(outcome)
        elif isinstance(outcome, Failure) and not outcome.check(CaucusError):
            _log.failure("A request failed whose peer has gone", failure=outcome)

    running.addBoth(tell)
    return waiting
