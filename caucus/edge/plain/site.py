"""The plain path: Twisted's own site, less what does not belong to this contract.

It is what ``--http twisted`` serves with, and what the fast transport is held against.
"""

from __future__ import annotations

from typing import cast

from twisted.web import server
from twisted.web.http import Request as TwistedRequest
from twisted.web.resource import IResource

from caucus.edge.plain.channel import EdgeChannel
from caucus.edge.plain.request import PlainRequest
from caucus.edge.site import Edge, Shared


class PlainSite(Edge, server.Site):
    """A listener on Twisted's own site. ``resource`` renders every request."""

    noisy = False
    protocol = EdgeChannel  # type: ignore[assignment]  # HTTPFactory types its own proxy, which only serves h2
    requestFactory = PlainRequest  # type: ignore[assignment]  # it takes a channel and nothing else

    def __init__(self, resource: IResource, shared: Shared) -> None:
        clock = shared.clock
        server.Site.__init__(self, resource, timeout=None, reactor=clock, parsePOSTFormSubmission=False)
        Edge.__init__(self, shared)

    def startFactory(self) -> None:
        """Nothing: Twisted's own access log would set a timer each second."""

    def stopFactory(self) -> None:
        """Nothing to stop."""

    def log(self, request: TwistedRequest) -> None:
        """Twisted says that an answer is complete."""
        cast("EdgeChannel", request.channel).log(cast("PlainRequest", request))
