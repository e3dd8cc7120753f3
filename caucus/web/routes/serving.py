"""What a route is, and what it works with."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, ParamSpec, TypeVar, cast

from attrs import frozen
from twisted.internet.defer import Deferred

from caucus.access.issuer import Issuer
from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.interfaces import IBackbone, IRepeatable
from caucus.metrics import Metric
from caucus.model.records import Answer
from caucus.web.stream import Streams
from caucus.wire.operations import Operation

P = ParamSpec("P")
T = TypeVar("T")


@frozen
class Serving:
    """What routes work with: the backbone, its live streams, who issues tokens, and what is counted."""

    backbone: IBackbone
    streams: Streams
    issuer: Issuer
    metrics: tuple[Metric, ...] = ()

    def once(
        self, request: Request, operation: Callable[P, Deferred[T]], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """Call an operation that writes, unless the request is known by its key.

        A backbone that remembers nothing repeats.
        """
        if request.key is None:
            return operation(*args, **kwargs)
        repeatable = IRepeatable(self.backbone, None)
        if repeatable is None:
            return operation(*args, **kwargs)
        first = cast("Callable[[], Deferred[Answer]]", lambda: operation(*args, **kwargs))
        return cast("Deferred[T]", repeatable.once(request.key, first))


Route = Callable[..., Coroutine[Any, Any, Response]]
"""``async def route(on: Serving, request: Request, *variable segments)``."""

ROUTES: Final[dict[str, Route]] = {}
"""The route of each operation, by its name."""


def serves(operation: Operation[Any]) -> Callable[[Route], Route]:
    """Make a function the route of an operation."""

    def take(route: Route) -> Route:
        if operation.name in ROUTES:
            raise ValueError(f"{operation.name} has a route already")
        ROUTES[operation.name] = route
        return route

    return take
