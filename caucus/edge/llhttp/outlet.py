"""What leaves by one connection of the llhttp transport, together with all else of the reactor's turn."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.tcp import Connection as TCPConnection

from caucus.edge.llhttp.listener import FastListener
from caucus.edge.twisted_names import knows_sockets

UNSENT: Final = 65_536
"""With more bytes than that for one peer, the end of the reactor's turn is not waited for."""


class Outlet:
    """Sends, in order, by way of a socket where it can: the reactor's would cost two more system calls."""

    __slots__ = ("_is_plain_socket", "_out", "_site", "transport")

    def __init__(self, transport: Any, site: FastListener) -> None:
        self.transport = transport
        self._site = site
        self._out = b""
        self._is_plain_socket = isinstance(transport, TCPConnection) and knows_sockets() and not transport.TLS

    def write(self, data: bytes) -> None:
        """Send, with whatever else this turn of the reactor has for the peer."""
        transport = self.transport
        if self._out:
            self._out += data
        elif not self._is_plain_socket or (
            transport.dataBuffer or transport._tempDataBuffer or transport.disconnecting
        ):
            transport.write(data)
        else:
            self._out = data
            self._site.flush_soon(self)
        if len(self._out) > UNSENT:
            self.flush()

    def push(self, data: bytes) -> None:
        """Send now, behind whatever waits for the end of the turn."""
        if self._out:
            self._out += data
            self.flush()
            return
        transport = self.transport
        if not self._is_plain_socket or (
            transport.dataBuffer or transport._tempDataBuffer or transport.disconnecting
        ):
            transport.write(data)
            return
        try:
            sent = transport.socket.send(data)
        except OSError:  # it is full, or gone: the reactor will find out which
            sent = 0
        if sent < len(data):
            transport.write(data[sent:])

    def flush(self) -> None:
        """Give the socket what waits for it."""
        data, self._out = self._out, b""
        if data:
            self.push(data)

    def drop(self) -> None:
        """Nothing is sent any more."""
        self._out = b""
