"""The factory of a listener on llhttp."""

from __future__ import annotations

from twisted.internet.interfaces import IAddress

from caucus.edge.llhttp.connection import Connection
from caucus.edge.llhttp.listener import FastListener
from caucus.edge.llhttp.request import FastRequest


class FastSite(FastListener):
    """A listener on llhttp."""

    requestFactory = FastRequest

    def buildProtocol(self, addr: IAddress | None) -> Connection:  # noqa: ARG002
        return Connection(self)
