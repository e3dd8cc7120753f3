"""The Klein tree: each route reads its request, asks the backbone once, and shapes the answer.

The routes stand here and nowhere else. What comes before them, whatever the route, is in
`caucus.web.dispatch`; statuses of refusals are in `caucus.wire.refusals`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import ParamSpec, TypeVar, cast
from urllib.parse import unquote

from klein import Klein
from klein.interfaces import IKleinRequest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from twisted.web.iweb import IRequest
from twisted.web.resource import IResource
from werkzeug import exceptions
from werkzeug.routing import UnicodeConverter

from caucus.access.issuer import Issuer
from caucus.access.tokens import Tokens
from caucus.edge.body import JSON_BODY, BodyCap
from caucus.edge.request import Request
from caucus.errors import (
    ArtifactTooLarge,
    CaucusError,
    InvalidCursor,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
)
from caucus.interfaces import IBackbone, IReadiness
from caucus.limits import Limits
from caucus.model.drafts import sign
from caucus.model.messages import MessageFields
from caucus.model.records import Identity
from caucus.web.idempotency import IDEMPOTENCY_KEY, once
from caucus.web.openapi import description
from caucus.web.parts import LONG, Parts, slices
from caucus.web.stream import Streams
from caucus.web.uncancelled import uncancelled
from caucus.wire import answers
from caucus.wire.jsontext import CONTENT_TYPE, NULL
from caucus.wire.refusals import is_answerable

P = ParamSpec("P")
T = TypeVar("T")

MAX_SAFE_INTEGER = 2**53 - 1
_DIGITS = re.compile(rb"0*([0-9]{1,16})")
_MESSAGE_ACTIONS = frozenset({"append", "claim", "done"})
_ARTIFACT_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Disposition": "attachment",
    "Cache-Control": "public, max-age=31536000, immutable",
}


class Segment(UnicodeConverter):
    """A variable segment, decoded only now: before, it would not stay one segment if it held a slash."""

    def to_python(self, value: str) -> str:
        return unquote(value)


class Routes:
    """The contract's routes over one backbone.

    :param tokens: resolves the bearer of every route that writes.
    :param read_token: whether routes that read need a write token too.
    """

    app = Klein()
    app.url_map.converters["default"] = Segment

    def __init__(
        self,
        backbone: IBackbone,
        tokens: Tokens,
        limits: Limits,
        streams: Streams,
        issuer: Issuer,
        *,
        read_token: bool = False,
    ) -> None:
        self._backbone = backbone
        self._tokens = tokens
        self._streams = streams
        self._issuer = issuer
        self._read_token = read_token
        self._artifact_cap = BodyCap(
            limits.max_artifact_bytes, partial(ArtifactTooLarge, limits.max_artifact_bytes)
        )

    def resource(self) -> IResource:
        """The tree as Twisted's resource."""
        # Werkzeug imports a codec when it binds first, which fails once descriptors have run out.
        self.app.url_map.bind("localhost")
        return self.app.resource()

    def knows(self, request: Request) -> bool:
        """Whether a request has a token that may write."""
        try:
            self._tokens.identify(request.values(b"authorization"))
        except Unauthorized:
            return False
        return True

    def admit(self, request: Request) -> BodyCap:
        """The cap of a request's body, judged by its path and headers alone.

        Raises `Unauthorized` for an upload without a good token: its bytes are not even read.
        """
        if request.method == b"PUT" and request.place is not None and is_artifact(request.place.segments):
            self._identify(request)
            return self._artifact_cap
        return JSON_BODY

    @app.route("/healthz", methods=["GET"])
    def healthz(self, request: Request) -> bytes:
        return request.answer(200, b'{"ok":true}')

    @app.route("/readyz", methods=["GET"])
    def readyz(self, request: Request) -> bytes:
        """Whether writes are taken; the refusal says why they are not."""
        readiness = IReadiness(self._backbone, None)
        trouble = None if readiness is None else readiness.why_not_ready()
        if trouble is not None:
            raise trouble
        return request.answer(200, b'{"ready":true}')

    @app.route("/openapi.json", methods=["GET"])
    def openapi(self, request: Request) -> bytes:
        return request.answer(200, description())

    @app.route("/channels", methods=["POST"])
    @uncancelled
    async def create_channel(self, request: Request) -> bytes:
        fields = _object(request)
        identity = self._identify(request)
        verbosity = None if fields.get("verbosity") is NULL else fields.get("verbosity")
        descriptor = await self._once(
            request,
            self._backbone.create_channel,
            cast("str", fields.get("channel", NULL)),
            purpose=cast("str | None", fields.get("purpose")),
            created_by=identity.owner,
            verbosity=cast("str | None", verbosity),
            render_budget_chars=cast("int | None", fields.get("renderBudgetChars")),
        )
        return request.answer(201, answers.encode_descriptor(descriptor))

    @app.route("/channels", methods=["GET"])
    async def list_channels(self, request: Request) -> bytes | IResource:
        self._may_read(request)
        channels = await self._backbone.list_channels()
        length = answers.channels_length(channels)
        if length > LONG:
            return Parts(answers.channels_parts(channels), length, CONTENT_TYPE, {})
        return request.answer(200, b"".join(answers.channels_parts(channels)))

    @app.route("/channels/<channel>", methods=["GET"])
    async def describe_channel(self, request: Request, channel: str) -> bytes:
        self._may_read(request)
        descriptor = await self._backbone.describe_channel(channel)
        return request.answer(200, answers.encode_descriptor(descriptor))

    @app.route("/channels/<channel>/subscribe", methods=["POST"])
    async def subscribe(self, request: Request, channel: str) -> bytes:
        self._may_read(request)
        return request.answer(200, answers.encode_cursor(await self._backbone.subscribe(channel)))

    @app.route("/channels/<channel>/append", methods=["POST"])
    @uncancelled
    async def append(self, request: Request, channel: str) -> bytes:
        message = self._authored(request)
        appended = await self._once(request, self._backbone.append, channel, message)
        return request.answer(201, answers.encode_appended(appended))

    @app.route("/channels/<channel>/read", methods=["POST"])
    async def read_since(self, request: Request, channel: str) -> bytes | IResource:
        self._may_read(request)
        fields = {} if request.json_value is None else _object(request)
        page = await self._backbone.read_since(
            channel,
            cast("int", fields.get("cursor", NULL)),
            cast("int | None", fields.get("limit")),
        )
        length = answers.page_length(page)
        if length > LONG:
            return Parts(answers.page_parts(page), length, CONTENT_TYPE, {})
        return request.answer(200, answers.encode_page(page))

    @app.route("/channels/<channel>/claim", methods=["POST"])
    @uncancelled
    async def claim(self, request: Request, channel: str) -> bytes:
        message = self._authored(request)
        result = await self._once(request, self._backbone.claim, channel, message)
        return request.answer(200, answers.encode_claim(result))

    @app.route("/channels/<channel>/reassign", methods=["POST"])
    @uncancelled
    async def reassign_claim(self, request: Request, channel: str) -> bytes:
        message = dict(cast("Mapping[str, object]", self._authored(request)))
        assignee = message.pop("assignee", NULL)
        if not isinstance(assignee, dict):
            raise InvalidRequest("The assignee must be an object with an agent_id and an owner.")
        given = Identity(assignee.get("agent_id", NULL), assignee.get("owner", NULL))
        result = await self._once(request, self._backbone.reassign_claim, channel, message, given)
        return request.answer(200, answers.encode_claim(result))

    @app.route("/channels/<channel>/done", methods=["POST"])
    @uncancelled
    async def mark_claim_done(self, request: Request, channel: str) -> bytes:
        message = self._authored(request)
        result = await self._once(request, self._backbone.mark_claim_done, channel, message)
        return request.answer(200, answers.encode_claim(result))

    @app.route("/channels/<channel>/artifacts/<sha256>", methods=["PUT"])
    @uncancelled
    async def put_artifact(self, request: Request, channel: str, sha256: str) -> bytes:
        self._identify(request)
        data = request.body()
        stored = await self._once(request, self._backbone.put_artifact, channel, sha256, data)
        return request.answer(200 if stored.deduplicated else 201, answers.encode_artifact(stored))

    @app.route("/channels/<channel>/artifacts/<sha256>", methods=["GET"])
    async def get_artifact(self, request: Request, channel: str, sha256: str) -> bytes | IResource:
        self._may_read(request)
        data = await self._backbone.get_artifact(channel, sha256)
        if data is None:
            raise NotFound
        headers = {**_ARTIFACT_HEADERS, "ETag": f'"{sha256}"'}
        kind = "application/octet-stream"
        if len(data) > LONG:
            return Parts(slices(data), len(data), kind, headers)
        return request.answer(200, data, headers, content_type=kind)

    @app.route("/channels/<channel>/stream", methods=["GET"])
    async def stream(self, request: Request, channel: str) -> IResource:
        self._may_read(request)
        name = channel
        resumed = request.values(b"last-event-id")
        since = None if resumed else _since(request.args)
        head = await self._backbone.subscribe(name)
        start, comment = head, "from the head on"
        if resumed:
            start, comment = _resume(resumed[0], head)
        elif since is not None:
            if since > head:
                raise InvalidCursor(f"The cursor must be an integer from 0 to the head, which is {head}.")
            start, comment = since, f"from {since} on"
        return self._streams.stream(name, start, head, comment)

    @app.route("/admin/tokens", methods=["POST"])
    @uncancelled
    async def mint(self, request: Request) -> bytes:
        self._authorize(request, "mint")
        token, identity = await self._issuer.mint(request.json_value)
        return request.answer(201, answers.encode_token(token, identity))

    @app.route("/admin/tokens/revoke", methods=["POST"])
    @uncancelled
    async def revoke(self, request: Request) -> bytes:
        self._authorize(request, "revoke")
        return request.answer(200, answers.encode_revoked(await self._issuer.revoke(request.json_value)))

    @app.route("/admin/tokens/rotate", methods=["POST"])
    @uncancelled
    async def rotate(self, request: Request) -> bytes:
        self._authorize(request, "rotate")
        token, identity = await self._issuer.rotate(request.json_value)
        return request.answer(201, answers.encode_token(token, identity))

    @app.route("/admin/tokens/<action>", methods=["POST"])
    def unknown_admin_action(self, request: Request, action: str) -> bytes:  # noqa: ARG002
        """As below a channel: 405 for any method but POST, also where nothing is."""
        raise NotFound

    @app.route("/channels/<channel>/<action>", methods=["POST"])
    def unknown_action(self, request: Request, channel: str, action: str) -> bytes:  # noqa: ARG002
        """One segment below a channel is 405 for any method but POST, also where nothing is."""
        if action == "stream":
            raise exceptions.MethodNotAllowed
        raise NotFound

    @app.handle_errors(exceptions.MethodNotAllowed)
    def refuse_method(self, request: IRequest, failure: Failure) -> bytes:  # noqa: ARG002
        path = [unquote(segment.decode()) for segment in [*request.prepath, *request.postpath]]
        # `unknown_action` would take a POST there, and refuse it.
        allowed = {"GET"} if is_stream(path) else IKleinRequest(request).mapper.allowed_methods()
        return _ours(request).refusal(MethodNotAllowed(tuple(sorted(allowed))))

    @app.handle_errors(exceptions.NotFound)
    def refuse_path(self, request: IRequest, failure: Failure) -> bytes:  # noqa: ARG002
        return _ours(request).refusal(NotFound())

    @app.handle_errors(CaucusError)
    def refuse(self, request: IRequest, failure: Failure) -> bytes:
        error = cast("CaucusError", failure.value)
        return _ours(request).refusal(error) if is_answerable(error) else _ours(request).failure(failure)

    @app.handle_errors(Exception)
    def fail(self, request: IRequest, failure: Failure) -> bytes:
        return _ours(request).failure(failure)

    def _identify(self, request: Request) -> Identity:
        identity = self._tokens.identify(request.values(b"authorization"))
        request.agent_id = identity.agent_id
        return identity

    def _once(
        self, request: Request, operation: Callable[P, Deferred[T]], *args: P.args, **kwargs: P.kwargs
    ) -> Deferred[T]:
        """Call an operation, unless the request is known by its idempotency key."""
        if not request.values(IDEMPOTENCY_KEY):
            return operation(*args, **kwargs)
        return once(self._backbone, request, lambda: operation(*args, **kwargs))

    def _may_read(self, request: Request) -> None:
        if self._read_token:
            self._identify(request)

    def _authorize(self, request: Request, operation: str) -> None:
        authorization = request.values(b"authorization")
        self._issuer.authorize(operation, authorization, request.json_value, local=request.door.local)

    def _authored(self, request: Request) -> MessageFields:
        """The body's message, with the token's identity over whatever it claims."""
        if request.draft is not None:
            identity = self._identify(request)
            sign(request.draft, identity.agent_id, identity.owner)
            return request.draft
        fields = _object(request)
        identity = self._identify(request)
        return {**fields, "agent_id": identity.agent_id, "owner": identity.owner}


def _since(arguments: Mapping[bytes, Sequence[bytes]]) -> int | None:
    """The first ``since`` of a query, if there is one: ASCII digits, at most 2^53-1."""
    given = arguments.get(b"since")
    if given is None:
        return None
    since = _number(given[0])
    if since is None or since > MAX_SAFE_INTEGER:
        raise InvalidRequest("since must be digits, at most 9007199254740991.")
    return since


def _number(digits: bytes) -> int | None:
    """What ASCII digits say, if that has at most 16 of them beside zeros in front."""
    found = _DIGITS.fullmatch(digits)
    return int(found[1]) if found else None


def _resume(last_event_id: bytes, head: int) -> tuple[int, str]:
    """Where a reader that comes back goes on. Any answer but 200 would end an ``EventSource`` for ever."""
    last = _number(last_event_id)
    if last is not None and last <= head:
        return last, f"resumed from {last} on"
    return 0, "the last event is not known here; from 0 on"


def _ours(request: IRequest) -> Request:
    return cast("Request", request)


def is_artifact(segments: Sequence[str]) -> bool:
    """Whether a path is that of an artifact, whose body is not JSON."""
    return len(segments) == 4 and segments[0] == "channels" and segments[2] == "artifacts"


def is_message(segments: Sequence[str]) -> bool:
    """Whether a path is one whose request is a message and nothing else."""
    return len(segments) == 3 and segments[0] == "channels" and segments[2] in _MESSAGE_ACTIONS


def is_stream(segments: Sequence[str]) -> bool:
    """Whether a path is that of a live stream, whose request has no JSON."""
    return len(segments) == 3 and segments[0] == "channels" and segments[2] == "stream"


def _object(request: Request) -> dict[str, object]:
    """The body, which must be a JSON object."""
    if not isinstance(request.json_value, Mapping):
        raise InvalidRequest("The body must be a JSON object.")
    return dict(request.json_value)


# Werkzeug lets HEAD in wherever GET is; the protocol has no such method (405).
for _rule in Routes.app.url_map.iter_rules():
    _rule.methods = (_rule.methods or set()) - {"HEAD"}
