"""What a route is, and what it works with."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar, cast

from attrs import Factory, frozen
from msgspec.structs import replace
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from caucus.access.issuer import Issuer
from caucus.access.principals import Principal
from caucus.agents.hooks import Throttle
from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import ClaimLost, IdempotencyMismatch, StorageUnavailable
from caucus.interfaces import IAlive, IBackbone, IClaims, IFollowing, IRepeatable
from caucus.metrics import Counter, Metric
from caucus.model.answers import Answer
from caucus.model.events import RequestKey
from caucus.model.evidence import Hashed
from caucus.web.idempotency import earlier_key
from caucus.web.streams import Streams
from caucus.wire.operation import Operation

T = TypeVar("T")
STALE: Final = {"Warning": '110 - "Response is Stale"'}
"""Of an answer that may be of the past: RFC 7234, section 5.5.1, which caches and clients still know."""


def tool_calls() -> Counter:
    """What counts the calls of agents' tools."""
    return Counter("caucus_tool_calls_total", "Calls of agents' tools.", ("tool", "outcome"))


def nobody(_request: Request) -> None:
    """Whoever speaks is not known."""


def following(backbone: IBackbone) -> IFollowing | None:
    """A backbone, if others write to its log."""
    found = IFollowing(backbone, None)
    return found if found is not None and found.is_following else None


@frozen
class Serving:
    """What routes work with: the backbone, its streams, who issues tokens, what is counted, who is told.

    ``speaker`` says who speaks, if a request has a good token: of one that needs none too. ``tools`` counts
    the calls of agents' tools, by name and outcome; ``throttle`` says how often their sessions are told news.
    ``following`` is the backbone, if others write to its log.
    """

    backbone: IBackbone
    streams: Streams
    issuer: Issuer
    metrics: tuple[Metric, ...] = ()
    alive: IAlive | None = None
    speaker: Callable[[Request], Principal | None] = nobody
    tools: Counter = Factory(tool_calls)
    throttle: Throttle = Factory(Throttle)
    following: IFollowing | None = Factory(lambda self: following(self.backbone), takes_self=True)

    def dated(self, response: Response) -> Response:
        """What a read is answered with, which says so if it may be of the past."""
        if self.following is None or not self.following.is_stale:
            return response
        return replace(response, headers={**(response.headers or {}), **STALE})

    async def once_known(self, ask: Callable[[], Deferred[T]]) -> T:
        """What is found, as soon as it is known whether it is there: for whoever can wait."""
        while True:
            try:
                return await ask()
            except StorageUnavailable as error:
                if error.trouble == "closed" or self.following is None or not self.following.is_stale:
                    raise

    def showed(self, request: Request, channel: str, start: int, end: int) -> None:
        """The messages between two cursors are about to be shown to whoever asks."""
        if self.alive is not None and start < end:
            who = request.principal or self.speaker(request)
            if who is not None:
                self.alive.showed(who.identity, channel, start, end)

    def once(self, request: Request, operation: Operation[T], *args: Any, **kwargs: Any) -> Deferred[T]:
        """Have the backbone do an operation that writes, unless the request is known by its key.

        A backbone that remembers nothing repeats. A token that can be revoked must stand when it is done.
        """
        # No local holds the answer: a refusal's traceback has this frame, and so it would hold itself.
        if request.key is None:
            return cast("Deferred[T]", getattr(self._backbone(request), operation.name)(*args, **kwargs))
        if not isinstance(request.value, Hashed):
            return self.write(request, request.key, operation.name, *args, **kwargs)
        repeatable = IRepeatable(self._backbone(request), None)
        if repeatable is None:
            return self.write(request, None, operation.name, *args, **kwargs)
        return cast(
            "Deferred[T]",
            repeatable.once(request.key, operation.name, *args, **kwargs).addErrback(
                _as_before, repeatable, request, operation.name, *args, **kwargs
            ),
        )

    def write(
        self, request: Request, key: RequestKey | None, operation: str, *args: Any, **kwargs: Any
    ) -> Deferred[Any]:
        """Have the backbone do an operation, by its name, unless it is known by ``key`` already."""
        backbone = self._backbone(request)
        repeatable = None if key is None else IRepeatable(backbone, None)
        if key is None or repeatable is None:
            return cast("Deferred[Any]", getattr(backbone, operation)(*args, **kwargs))
        return repeatable.once(key, operation, *args, **kwargs)

    def _backbone(self, request: Request) -> Any:
        """The backbone, as a request may have it write: while its token and its claim stand."""
        keeper = self.issuer.keeper
        backbone = keeper.bearing(request.bearer) if request.bearer and keeper else self.backbone
        if request.grant is not None and request.principal is not None:
            claims = IClaims(backbone, None)
            if claims is None:
                raise ClaimLost  # nobody here can tell that it is held
            backbone = claims.fenced(*request.grant, request.principal.identity)
        return backbone


def _as_before(
    failure: Failure, repeatable: IRepeatable, request: Request, *args: Any, **kwargs: Any
) -> Deferred[Answer]:
    """An earlier version may have answered it, under another fingerprint."""
    failure.trap(IdempotencyMismatch)
    return repeatable.once(earlier_key(request, cast("RequestKey", request.key)), *args, **kwargs)


def is_here(waiting: Deferred[Any]) -> bool:
    """Whether what is waited for is here, and is no failure: its ``result``."""
    return waiting.called and not waiting.paused and not isinstance(waiting.result, Failure | Deferred)


Route = Callable[..., Response | Deferred[Any] | Coroutine[Any, Any, Response]]
"""``def route(on: Serving, request: Request, *variable segments)``.

It gives the response, or the Deferred of what its operation is answered with, or is ``async`` and gives the
response: who waits for nothing needs no coroutine, which takes as long as the waiting itself.
"""

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
