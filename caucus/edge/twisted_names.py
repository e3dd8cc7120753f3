"""Names that Twisted keeps to itself and that are used here: whether this Twisted has them is asked once."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from twisted.internet.abstract import FileDescriptor
from twisted.internet.tcp import Connection
from twisted.internet.testing import StringTransport
from twisted.web.http import HTTPChannel

_OF_A_SOCKET: Final = ("dataBuffer", "_tempDataBuffer", "disconnecting")
_OF_A_CHANNEL: Final = (
    "_buffer",
    "_busyReceiving",
    "_command",
    "_dataBuffer",
    "_failChooseTransferDecoder",
    "_handlingRequest",
    "_maybeChooseTransferDecoder",
    "_optimisticEagerReadSize",
    "_path",
    "_receivedHeaderCount",
    "_receivedHeaderSize",
    "_requestProducer",
    "_requestProducerStreaming",
    "_respondToBadRequestAndDisconnect",
    "_transferDecoder",
    "_version",
    "_waitingForTransport",
)


@cache
def knows_sockets() -> bool:
    """Whether it can be told that a socket has sent everything; else a transport's ``write`` sends."""
    some: Any = FileDescriptor(reactor=object())  # type: ignore[arg-type]  # nothing is called on it
    return all(hasattr(some, name) for name in _OF_A_SOCKET) and hasattr(Connection, "TLS")


@cache
def missing_from_channels() -> tuple[str, ...]:
    """What ``--http twisted`` needs of Twisted's own HTTP server, and this Twisted does not have."""
    some: Any = HTTPChannel()
    some.makeConnection(StringTransport())
    some.dataReceived(b"GET / HTTP/1.1\r\n")  # some names come with the first line
    return tuple(name for name in _OF_A_CHANNEL if not hasattr(some, name))
