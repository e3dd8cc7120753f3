"""Heads that were parsed before: a client sends the same bytes again and again, and they mean the same.

From where a message begins, what llhttp tells of a head follows from its bytes alone. So one that is here
as a whole, and was parsed twice as a whole from such a place, is not parsed a third time, and its token not
hashed again: a read at the head takes five eighths of the time that it took in process, and an append three
quarters.
"""

from __future__ import annotations

import os
from hashlib import sha256
from typing import Final

import msgspec

from caucus.edge.body import BodyCap
from caucus.edge.door import Door
from caucus.edge.llhttp.request import FastRequest
from caucus.edge.place import Place

END: Final = b"\r\n\r\n"
LONGEST: Final = 1024
HEADERS: Final = 24
"""The most bytes, and the most headers, of a head that is remembered: six kilobytes as it is kept."""
MOST: Final = 512
"""So many are remembered, of those that were learned last; and the digests of so many that came once."""
_OTHERWISE: Final = (b"transfer-encoding", b"expect", b"upgrade", b"cookie", b"proxy-authorization")
"""With one of these headers there is more to a head than its bytes, or what is not to be kept."""


class Known(msgspec.Struct, frozen=True):
    """What a head said, but for its token, of which the digest is kept.

    ``length`` is how many bytes of body follow.
    """

    method: bytes
    uri: bytes
    headers: dict[bytes, list[bytes]]
    credential: bytes | None
    place: Place
    cap: BodyCap
    length: int

    def __repr__(self) -> str:
        return f"<head {self.method!r} of {len(self.headers)} headers>"

    def repeat(self, request: FastRequest, segment: bytes, end: int) -> None:
        """Have a request be what the head said that stands at the beginning of a segment, up to ``end``."""
        request.method, request.uri, request.version = self.method, self.uri, b"HTTP/1.1"
        request.headers, request.place, request.cap = self.headers, self.place, self.cap
        request.persistent = True
        request.known_credential = self.credential
        if self.length:
            request.length = self.length
            request.add_to_body(segment[end : end + self.length])


class Heads:
    """The heads of one listener.

    No token is kept: a head is known by a digest, with a secret before it that is this process's.
    """

    def __init__(self) -> None:
        self._key = os.urandom(32)
        self._door: Door | None = None
        self._known: dict[bytes, Known] = {}
        self._once: set[bytes] = set()

    def __len__(self) -> int:
        return len(self._known) + len(self._once)

    def find(self, head: bytes, door: Door) -> Known | None:
        """What a head said that was let in by the door."""
        return self._known.get(sha256(self._key + head).digest()) if door is self._door else None

    def learn(self, head: bytes, request: FastRequest) -> None:
        """A request was parsed, to its end, whose head it was; what is not as most are is not remembered."""
        digest, door = sha256(self._key + head).digest(), request.door
        if door is not self._door:
            self._door = door
            self._known.clear()
        if digest not in self._once:
            if len(self._once) >= MOST:
                self._once.clear()
            self._once.add(digest)
            return
        self._once.discard(digest)
        known = _known(head, request)
        if known is not None:
            while len(self._known) >= MOST:
                del self._known[next(iter(self._known))]
            self._known[digest] = known


def _known(head: bytes, request: FastRequest) -> Known | None:
    headers, place = dict(request.headers), request.place
    # Where each line ends with CR LF, the first empty line is where the parser saw the end.
    is_plain = head[:1] not in b"\r\n" and head.count(b"\n") == head.count(b"\r\n")
    is_kept = request.version == b"HTTP/1.1" and request.persistent
    if not (is_plain and is_kept) or place is None or place.body == "opaque" or len(headers) > HEADERS:
        return None
    if any(name in headers for name in _OTHERWISE):
        return None
    credential = request.credential()
    headers.pop(b"authorization", None)
    return Known(request.method, request.uri, headers, credential, place, request.cap, request.length or 0)
