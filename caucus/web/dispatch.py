"""What comes before the routes, in the contract's order of refusals: the path, then the JSON."""

from __future__ import annotations

from urllib.parse import quote

from attrs import evolve
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from caucus.errors import CaucusError, InvalidRequest
from caucus.web.request import JSON_BODY, BodyCap, Request
from caucus.web.routes import Routes, is_artifact, is_stream
from caucus.wire.jsontext import decode_json
from caucus.wire.paths import authority, segments


class Dispatch(Resource):
    """Decodes path and body of every request, then hands it to the routes' own resource."""

    isLeaf = True

    def __init__(self, routes: Routes) -> None:
        """``routes`` are those of one backbone; every listener of a server shares this."""
        super().__init__()
        self._routes = routes
        self._tree = routes.resource()

    def admit(self, request: Request) -> BodyCap:
        """The cap of the request's body, once the door let it in.

        A path that cannot be decoded outranks a body too large.
        """
        headers = request.requestHeaders
        request.site.door.check(
            authority(request.uri),
            headers.getRawHeaders(b"Host") or (),
            headers.getRawHeaders(b"Origin") or (),
        )
        try:
            decoded = segments(request.uri)
        except InvalidRequest as refusal:
            return evolve(JSON_BODY, refusal=refusal)
        return self._routes.admit(request.method, decoded, request)

    def render(self, request: Request) -> int:
        try:
            decoded = segments(request.uri)
            body = request.body()
            if body and not is_artifact(decoded) and not is_stream(decoded):
                request.json_value = decode_json(body)
        except CaucusError as refusal:
            request.send(request.refusal(refusal))
        else:
            # Klein joins what it finds here by slashes; quoted again, %2F stays inside its segment.
            request.postpath = [quote(segment, safe="").encode() for segment in decoded]
            self._tree.render(request)
        return NOT_DONE_YET
