"""What comes before any route, once: who may, and what the body says. The contract's order of refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import Any, Final, TypeVar

from caucus.access.issuer import Issuer
from caucus.access.principals import Principal
from caucus.access.tokens import Tokens
from caucus.edge.body import JSON_BODY, BodyCap
from caucus.edge.parts import LONG, Parts
from caucus.edge.place import Place, Reading
from caucus.edge.request import Request
from caucus.edge.response import Response
from caucus.errors import (
    ArtifactTooLarge,
    InvalidRequest,
    NotFound,
    PayloadTooLarge,
    StorageUnavailable,
    Unauthorized,
)
from caucus.interfaces import IAlive, IFollowing
from caucus.limits import Limits
from caucus.model.drafts import Draft, read_draft
from caucus.model.evidence import Hashed
from caucus.model.wanted import Asked, read_asked
from caucus.web.fencing import IF_CLAIM, grant_of
from caucus.web.idempotency import IDEMPOTENCY_KEY, request_key
from caucus.web.table import operation_of
from caucus.wire.jsontext import decode_given
from caucus.wire.operation import BodyKind, Operation
from caucus.wire.operations import METRICS
from caucus.wire.page import PAGE

T = TypeVar("T")
FOR_A_HARNESS: Final = (
    "have the harness send one that this daemon knows, as Authorization: Bearer TOKEN, and start it again"
)
"""What an agent's harness shows to its person, who has set it up."""
HEARD_SECONDS: Final = 0.25
"""For so long the same token at the same target says nothing new.

Presence is told in whole seconds, and a sign of life is due after a quarter of ten at the soonest.
"""
HTML: Final = "text/html"
_TYPED: Final[Mapping[Reading, Callable[[bytes], Any]]] = {"message": read_draft, "claim": read_asked}
"""What finds a good body good, in one typed pass, and else gives ``None``."""


@cache
def _json_cap(most: int) -> BodyCap:
    return JSON_BODY if most == JSON_BODY.limit else BodyCap(most, partial(PayloadTooLarge, most))


class Gate:
    """Judges a request before its route does anything.

    :param tokens: resolves the bearer.
    :param alive: is told whose requests come, and about what.
    :param following: the backbone, if a token that is unknown here may have been minted elsewhere.
    :param read_token: whether operations that read need a write token too.
    """

    def __init__(
        self,
        tokens: Tokens,
        issuer: Issuer,
        limits: Limits,
        alive: IAlive | None,
        *,
        read_token: bool,
        following: IFollowing | None = None,
    ) -> None:
        self._following = following
        self._tokens = tokens
        self._issuer = issuer
        self._alive = alive
        self._read_token = read_token
        self._heard: set[int] = set()
        self._since = 0.0
        most = limits.max_artifact_bytes
        self._bytes_cap = BodyCap(most, partial(ArtifactTooLarge, most))

    def speaker(self, request: Request) -> Principal | None:
        """Who speaks, if a request has a token that may write."""
        return self._tokens.find(request.credential())

    def admit(self, request: Request) -> BodyCap:
        """The cap of a request's body, judged by its path and headers alone.

        Raises `Unauthorized` for an upload without a good token: its bytes are not even read, unless
        the token may be a good one that others have minted.
        """
        place = request.place
        operation = None if place is None else place.routes.get(request.method)
        if operation is None:
            return JSON_BODY
        if operation.body != "bytes":
            return _json_cap(operation.most_bytes)
        if not self.may_come(request):
            self.identify(request)
        return self._bytes_cap

    def may_come(self, request: Request) -> bool:
        """Whether a request's bearer is not known here, but may have been minted elsewhere meanwhile."""
        if self._following is None:
            return False
        digest = request.credential()
        return digest is not None and self._tokens.find(digest) is None

    def hear(self, request: Request) -> None:
        """A request's head has come: a sign of life, if it has a good token, whatever it asks for."""
        digest = request.credential()
        if digest is None or self._alive is None:
            return
        if not 0 <= request.began - self._since < HEARD_SECONDS:
            self._since = request.began
            self._heard.clear()
        asked = hash((digest, request.uri))
        if asked in self._heard:
            return
        principal = self._tokens.find(digest)
        if principal is None:
            return
        self._heard.add(asked)
        place = request.place
        operation = None if place is None else place.routes.get(request.method)
        channel = ""
        if operation is not None and place is not None:
            if operation.authority == "writer":
                request.principal = principal  # so that it is not looked up again
            if operation.is_of_channel:
                channel = place.arguments[0]
        self._alive.heard_of(principal.identity, channel)

    def judge(self, request: Request) -> Operation[Any]:
        """The operation that a request asks for, if it may; ``request.value`` is then what it takes.

        That is a message with its author, an object, bytes, or what the JSON says. Raises the refusal.
        """
        place = request.place
        if place is None:
            raise request.cap.refuse()
        body = request.body()
        if body and place.body != "opaque":
            read = _TYPED.get(place.body)
            request.value = None if read is None else read(body)
            if request.value is None:
                request.value = decode_given(body)
        operation = place.routes.get(request.method)
        if operation is None:
            operation = _otherwise(place, request)
        request.route = operation.name
        authority, kind = operation.authority, operation.body
        if authority == "writer":
            self._judge_writer(kind, request, body)
            return operation
        if authority == "writer or admin":
            _require_object(request.value)
            self._judge_either(request)
            return operation
        if authority != "reader" or self._read_token:
            self._judge_other(operation, request)
        if kind == "object or nothing":
            if request.value is None:
                request.value = {}
            _require_object(request.value)
        return operation

    def _judge_writer(self, kind: BodyKind, request: Request, body: bytes) -> None:
        value = request.value
        is_draft = isinstance(value, Draft)
        if not is_draft and kind not in ("bytes", "rpc") and not isinstance(value, Asked):
            if value is None and kind == "object or nothing":
                request.value = value = {}
            _require_object(value)
        principal = request.principal
        if principal is None:
            principal = self.identify(request, FOR_A_HARNESS if kind == "rpc" else "")
        else:  # known since its first byte
            self._tokens.require(principal.digest)
        if is_draft:
            value.agent_id, value.owner = principal.identity.agent_id, principal.identity.owner
        elif kind == "message":
            request.value = authored(value, principal)
        elif kind == "bytes":
            request.value = Hashed.of(body) if request.values(IDEMPOTENCY_KEY) else body
        _set_conditions(request, principal)

    def _judge_other(self, operation: Operation[Any], request: Request) -> None:
        if operation.authority == "admin":
            digest, local = request.credential(), request.door.local
            self._issuer.authorize(operation.name, digest, request.value, local=local)
        elif operation.authority == "reader":
            self.identify(request)
        elif not _is_shown(operation, request):
            raise NotFound

    def _judge_either(self, request: Request) -> None:
        """Whoever has the admin token speaks by the backbone's own name."""
        principal = self._issuer.admin(request.credential(), local=request.door.local)
        if principal is None:
            principal = self.identify(request)
        request.principal = principal
        _set_conditions(request, principal)

    def identify(self, request: Request, hint: str = "") -> Principal:
        """Who speaks. Raises `Unauthorized`, with a hint for whoever does not."""
        principal = request.principal = self._tokens.find(request.credential())
        if principal is None:
            if self.may_come(request) and self._following is not None and self._following.is_stale:
                raise StorageUnavailable("failed")  # it may be good
            raise Unauthorized(hint)
        return principal


def _set_conditions(request: Request, principal: Principal) -> None:
    """On what a write depends: that it is not done twice, that its token stands, that its claim is held."""
    if request.values(IDEMPOTENCY_KEY):
        request.key = request_key(request, principal)
    if principal.is_minted:
        request.bearer = principal.digest
    if request.values(IF_CLAIM):
        request.grant = grant_of(request)


def answered(
    operation: Operation[T], result: T, status: int = 0, headers: Mapping[str, str] | None = None
) -> Response:
    """The response to an operation that succeeded, with its row's status unless another is given."""
    answer = operation.answer
    status = status or operation.status
    if answer.length is not None and answer.parts is not None:
        length = answer.length(result)
        if length > LONG:
            return Response(status, Parts(answer.parts(result), length), headers, answer.content_type)
    return Response(status, answer.encode(result), headers, answer.content_type)


def authored(fields: Mapping[str, object], principal: Principal) -> dict[str, object]:
    """A message's fields, with who speaks, whatever they claim."""
    return {**fields, "agent_id": principal.agent_id, "owner": principal.owner}


def _otherwise(place: Place, request: Request) -> Operation[Any]:
    """Refuse a method that no operation here has; what is not shown is not there at all."""
    if not all(_is_shown(one, request) for one in place.routes.values()):
        raise NotFound
    return operation_of(place.routes, request.method)


def _is_shown(operation: Operation[Any] | None, request: Request) -> bool:
    """Metrics are on some listeners alone, and the page is for browsers."""
    if operation is METRICS:
        return request.door.metrics
    return operation is not PAGE or request.names(HTML)


def _require_object(value: object) -> None:
    if not isinstance(value, dict):
        raise InvalidRequest("The body must be a JSON object.")
