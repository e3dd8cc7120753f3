"""The factory of a listener on llhttp."""

from __future__ import annotations

from twisted.internet.interfaces import IAddress

from caucus.edge.llhttp.connection import Connection
from caucus.edge.llhttp.heads import Heads
from caucus.edge.llhttp.listener import FastListener, Handle
from caucus.edge.llhttp.request import FastRequest
from caucus.edge.site import Shared


class FastSite(FastListener):
    """A listener on llhttp."""

    requestFactory = FastRequest

    def __init__(self, handle: Handle, shared: Shared) -> None:
        super().__init__(handle, shared)
        self.heads = Heads()

    def buildProtocol(self, addr: IAddress | None) -> Connection:  # noqa: ARG002
        return Connection(self)
