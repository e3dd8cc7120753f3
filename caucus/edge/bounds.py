"""What a transport holds its peers to: deadlines, the size of a head, and how a head may frame a body."""

from __future__ import annotations

import re
from typing import Final

from caucus.edge.request import KEEP_ALIVE_SECONDS, Request
from caucus.errors import BadRequest

HEADER_SECONDS: Final = 10
"""From a connection's opening, or a later request's first byte, to the end of its headers."""
REQUEST_SECONDS: Final = 30
"""From a request's first byte to the end of its body; and for a peer to take what waits for it."""
SILENT_SECONDS: Final = REQUEST_SECONDS + 6
"""How long a peer's machine may leave unanswered what was sent to it; a deadline is looked for within 5 s."""
IDLE_SECONDS: Final = KEEP_ALIVE_SECONDS + 1
"""From an answer to the next request's first byte: a little more than is announced."""
LINGER_SECONDS: Final = 5
LINGER_BYTES: Final = 64 * 1024 * 1024
"""How long, and how much, a refused peer that is still sending is listened to, so that it gets
to read its answer: closing at once would reset the connection under it."""

TURN: Final = 8
"""So many requests of one connection are answered in one turn of the reactor, which has others and timers."""

MAX_HEAD: Final = 16_384
"""The most bytes of a request line, headers and trailers together, without their line ends."""
MAX_HEADERS: Final = 100
LENGTH_DIGITS: Final = 20
"""The most digits of a Content-Length: ``int`` raises from 4,300 on."""
NAME_LENGTH: Final = 256
"""The most bytes of a header's name: Twisted remembers 10,000 names for ever."""

_TARGET = re.compile(rb"/|\*\Z|[A-Za-z][A-Za-z0-9+.-]*://")


def check_head(request: Request, *, http_1_1: bool) -> None:
    """Raises `BadRequest` for a head that no two servers might read alike."""
    if not request.method.isupper() or not (request.uri[:1] == b"/" or _TARGET.match(request.uri)):
        raise BadRequest  # a method has its case, and Werkzeug would not mind it
    count = len(request.values(b"host"))
    if count > 1 or (http_1_1 and not count):
        raise BadRequest
    codings = request.values(b"transfer-encoding")
    # One way to frame a body and no other: RFC 9112, section 6.1. HTTP/1.0 has no chunks.
    if codings and (not http_1_1 or [coding.lower() for coding in codings] != [b"chunked"]):
        raise BadRequest


def asks_to_close(request: Request) -> bool:
    """Whether the peer wants the connection closed after the answer."""
    given = request.values(b"connection")
    return bool(given) and b"close" in {
        option.strip(b" \t").lower() for option in b",".join(given).split(b",")
    }
