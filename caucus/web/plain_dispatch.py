"""As `caucus.web.dispatch`, by Klein's own resource."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET

from caucus.edge.response import refused
from caucus.errors import CaucusError
from caucus.web.dispatch import Dispatch
from caucus.web.routes.tree import klein_app


class PlainDispatch(Resource):
    """Answers a request of Twisted's site."""

    isLeaf = True

    def __init__(self, dispatch: Dispatch) -> None:
        super().__init__()
        self._dispatch = dispatch
        self._tree = klein_app(dispatch.serving).resource()

    def render(self, request: Any) -> int:
        self._dispatch.once_known(request, self._render)
        return NOT_DONE_YET

    def _render(self, request: Any) -> None:
        try:
            self._dispatch.gate.judge(request)
        except CaucusError as refusal:
            request.respond(refused(refusal))
        else:
            # Klein joins what it finds here by slashes; quoted again, %2F stays inside its segment. Nothing
            # at all would be no path to it, for which it has a redirect.
            segments = [quote(segment, safe="").encode() for segment in request.place.segments]
            request.postpath = segments or [b""]
            self._tree.render(request)
