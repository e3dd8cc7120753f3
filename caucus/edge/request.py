"""One request as the routes see it, whichever transport carries it, and the ways to answer it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from caucus.access.principals import Principal
from caucus.access.tokens import bearer_digest
from caucus.edge.body import JSON_BODY, BodyCap
from caucus.edge.door import Door
from caucus.edge.parts import Parts, Sender
from caucus.edge.place import Place
from caucus.edge.response import Response, failed, refused
from caucus.errors import CaucusError
from caucus.model.events import RequestKey

KEEP_ALIVE_SECONDS: Final = 5
"""How long an idle connection is kept at least, as it is announced."""
SERVER: Final = "caucus-backbone"
_UNREAD: Final = b""
NO_ROUTE: Final = "none"
"""What stands for the operation of a request that was for none, or was refused before that was known."""
PHRASES: Final[Mapping[int, bytes]] = {
    200: b"OK",
    201: b"Created",
    202: b"Accepted",
    400: b"Bad Request",
    401: b"Unauthorized",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    409: b"Conflict",
    413: b"Content Too Large",
    421: b"Misdirected Request",
    422: b"Unprocessable Content",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}
"""The reason phrases of RFC 9110 and RFC 6585: Python's own differ from one version to the next."""


class Request:
    """What a transport gives to the routes, by the names of Twisted's ``IRequest`` where it has one.

    ``began`` is when its first byte came, in seconds of the listener's clock.
    Those that come before the routes fill in ``cap``, what the body may hold; ``place``, where the
    path leads, or ``None`` if it cannot be decoded; ``value``, what the body says, which is ``None``
    if it says nothing; ``principal``, who speaks, once that is known; ``key``, by what a
    repetition of the request is known, if by anything; ``bearer``, the digest of its token, if that
    can be revoked; ``grant``, the number and the fence of the claim that it stands under, if it does; and
    ``route``, the operation's name. ``known_credential`` is `credential`, once that is known; ``error`` is
    the code of the refusal that it was answered with, if it was. ``waits_for`` is what a route waits for that
    may be given up once the peer has gone; with ``is_awaited`` a peer has gone that sends no more, since its
    answer may come much later.
    """

    method: bytes
    uri: bytes
    began: float
    args: Mapping[bytes, Sequence[bytes]]
    waits_for: Deferred[Any] | None = None
    code: int
    startedWriting: int
    cap: BodyCap = JSON_BODY
    place: Place | None = None
    value: Any = None
    is_awaited: bool = False
    principal: Principal | None = None
    key: RequestKey | None = None
    bearer: bytes = b""
    grant: tuple[int, int] | None = None
    route = NO_ROUTE
    error = ""
    known_credential: bytes | None = _UNREAD

    @property
    @abstractmethod
    def door(self) -> Door:
        """The door of the listener that it came in by."""

    @property
    @abstractmethod
    def is_gone(self) -> bool:
        """Whether nobody is there any more who could be answered."""

    @abstractmethod
    def values(self, name: bytes) -> Sequence[bytes]:
        """The values of the headers of a name, which is given in lower case."""

    def credential(self) -> bytes | None:
        """The digest of the bearer token that came with it; ``None`` if none did, or not in a good form.

        It is made once: a token is hashed no more often, and looked at by nobody else.
        """
        found = self.known_credential
        if found == _UNREAD:
            found = self.known_credential = bearer_digest(self.values(b"authorization"))
        return found

    def names(self, kind: str) -> bool:
        """Whether its ``Accept`` names this media type; a range such as ``*/*`` names none."""
        kinds = ",".join(value.decode("latin-1") for value in self.values(b"accept")).lower().split(",")
        return any(one.partition(";")[0].strip() == kind for one in kinds)

    @abstractmethod
    def body(self) -> bytes:
        """The bytes of the body."""

    @abstractmethod
    def begin(self, content_type: str, headers: Mapping[str, str], status: int = 200) -> None:
        """Set the answer's head; what is written without a length goes out in chunks."""

    @abstractmethod
    def write(self, data: bytes) -> None:
        """Send a part of the body."""

    def push(self, data: bytes) -> None:
        """Send a part of the body now, where `write` would only at the end of the reactor's turn."""
        self.write(data)

    @abstractmethod
    def finish(self) -> None:
        """The answer is complete."""

    @abstractmethod
    def send(self, body: bytes) -> None:
        """Send the whole body and finish."""

    @abstractmethod
    def abort(self) -> None:
        """End the connection at once; the answer stays incomplete."""

    @abstractmethod
    def settle_in(self) -> None:
        """The answer has no end of its own: let go of what it does not need once its head is sent."""

    @abstractmethod
    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """Have ``producer`` paused while the transport takes no more."""

    @abstractmethod
    def unregisterProducer(self) -> None:
        """The producer is done. Nothing, if the connection is gone."""

    @abstractmethod
    def notifyFinish(self) -> Deferred[None]:
        """Fires once the answer is complete, or fails once the connection is gone."""

    def respond(self, response: Response) -> None:
        """Answer with this."""
        body = response.body
        self.error = response.error
        if isinstance(body, bytes):
            self._begin(response, len(body))
            self.send(body)
        elif isinstance(body, Parts):
            self._begin(response, body.length)
            Sender(self, body.pieces).start()
        else:
            self.begin(response.content_type, response.headers or {}, response.status)
            body(self)

    def _begin(self, response: Response, length: int) -> None:
        headers = {**(response.headers or {}), "Content-Length": str(length)}
        self.begin(response.content_type, headers, response.status)

    def processingFailed(self, reason: Failure) -> None:
        """Something failed: answer so, or end the connection in the middle of an answer."""
        response = failed(reason)
        if not self.startedWriting:
            self.respond(response)
        else:
            self.abort()


def status_line(version: bytes, status: int) -> bytes:
    """The first line of an answer."""
    return b"%b %d %b\r\n" % (version, status, PHRASES[status])


def header_lines(headers: Mapping[str, str]) -> bytes:
    """The lines of these headers."""
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()).encode()


def last_words(error: CaucusError, date: bytes, *, head: bool) -> tuple[int, bytes, bytes]:
    """What refuses a request below the routes: its status, the answer's head, and its body.

    ``head`` says that a HEAD request gets it, whose answer has no body.
    """
    response = refused(error)
    status, body = response.status, cast("bytes", response.body)
    own = {"Content-Type": response.content_type, "Content-Length": str(len(body))}
    given = {**own, **(response.headers or {})}
    lines = header_lines({**given, "Connection": "close", "Server": SERVER, "Date": date.decode()})
    return status, status_line(b"HTTP/1.1", status) + lines + b"\r\n", b"" if head else body
