"""Raw requests for both transports: a table by hand, and as many more as are asked for."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from tests.raw import GET, POST, READ

MALFORMED = {
    "no Host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
    "two Hosts in HTTP/1.0": b"GET /healthz HTTP/1.0\r\nHost: localhost\r\nHost: b\r\n\r\n",
    "no version": b"GET /healthz\r\n\r\n",
    "HTTP/2.0": b"GET /healthz HTTP/2.0\r\nHost: localhost\r\n\r\n",
    "a method that is no token": b"G@T /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "two spaces": b"GET  /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "white space first": b"GET /healthz HTTP/1.1\r\n X: b\r\nHost: localhost\r\n\r\n",
    "a folded header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: b\r\n c\r\n\r\n",
    "a header without a colon": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nXb\r\n\r\n",
    "a space before the colon": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX : b\r\n\r\n",
    "NUL in a header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\x00b\r\n\r\n",
    "a bare LF in a header": b"GET /healthz HTTP/1.1\r\nHost: localhost\nX: b\r\n\r\n",
    "bare LFs throughout": b"GET /healthz HTTP/1.1\nHost: localhost\n\n",
    "a bare LF at the end": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\n",
    "a bare CR in a header": b"GET /healthz HTTP/1.1\r\nHost: localhost\rX: b\r\n\r\n",
    "HTTP/0.9": b"GET /healthz\r\n",
    "two codings": POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "a length in hexadecimal": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "a list of lengths": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a length of 5,000 zeros": POST + b"Content-Length: " + b"0" * 5000 + b"\r\n\r\n",
    "bytes above ASCII in a target": b"GET /channels/\xc3\xbc HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a tab in a target": b"GET /channels/\t HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a length of 5,000 digits": POST + b"Content-Length: " + b"1" * 5000 + b"\r\n\r\n",
    "a method in lower case": b"get /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a target without a slash": b"GET healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a target that is a host and port": b"CONNECT localhost:1 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n",
    "length and chunks": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "chunks and length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a signed length": POST + b"Content-Length: +3\r\n\r\nabc",
    "a negative length": POST + b"Content-Length: -1\r\n\r\n",
    "an unknown coding": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a bad chunk size": POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nabc\r\n0\r\n\r\n",
    "a chunk without its end": POST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcXX0\r\n\r\n",
}
"""What is answered 400 ``bad_request``."""

TOO_LARGE = {
    "a long request line": b"GET /" + b"a" * 17_000 + b" HTTP/1.1\r\n",
    "a long header": b"GET / HTTP/1.1\r\nX: " + b"a" * 17_000 + b"\r\n",
    "long headers": b"GET / HTTP/1.1\r\n" + b"X: " + b"a" * 9000 + b"\r\nY: " + b"a" * 9000 + b"\r\n",
    "a long header name": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X" * 257 + b": b\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: b\r\n" * 101 + b"\r\n",
}
"""What is answered 431."""

DIFFERENT: dict[str, tuple[list[int], list[int], str]] = {
    "two spaces": ([200], [400], "llhttp skips spaces before the target: no two servers read another target"),
    "HTTP/0.9": ([], [400], "llhttp waits for the rest of the head, until it is refused for that or late"),
    "empty lines first": (
        [200],
        [400],
        "llhttp skips any number of them, Twisted one: RFC 9112, section 2.2",
    ),
    "an unknown method": ([400], [404], "llhttp knows the registered methods only"),
    "an endless line": ([400], [431], "llhttp finds no method in it before it is too long"),
    "spaces after the target": ([200], [400], "llhttp skips them, as it does those before"),
    "a bare LF first": ([200], [400], "llhttp skips what ends a line before a request"),
    "a bare CR first": ([200], [400], "llhttp skips what ends a line before a request"),
    "a bare LF after a request": ([200, 200], [200, 400], "the same, before the next request"),
    "a control byte in a header": ([400], [200], "RFC 9110, section 5.5: refusing it is safe"),
    "DEL in a header": ([400], [200], "RFC 9110, section 5.5: refusing it is safe"),
    "a method of RTSP": ([400], [405], "llhttp knows the methods of each protocol"),
    "RTSP": ([405], [400], "llhttp reads it and does not tell: it is served as HTTP/1.0"),
    "ICE": ([405], [400], "llhttp reads it and does not tell: it is served as HTTP/1.0"),
    "a length that trails": ([400], [400, 200], "RFC 9110, section 6.5.1: no framing after a body"),
    "a coding that trails": ([400], [400, 200], "RFC 9110, section 6.5.1: no framing after a body"),
    "a close that trails": ([400], [400, 200], "llhttp ends the connection for it; so does the answer"),
    "a proxy's close": ([200], [200, 200], "llhttp ends the connection for it; so does the answer"),
}
"""What of the tables llhttp answers, what Twisted does, and why the difference is right."""

CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
WELL_FORMED = {
    "a plain GET": GET,
    "a header without a space": b"GET /healthz HTTP/1.1\r\nHost:localhost\r\n\r\n",
    "spaces around a value": b"GET /healthz HTTP/1.1\r\nHost: \t localhost \t\r\n\r\n",
    "an empty header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX:\r\n\r\n",
    "a header in capitals": b"GET /healthz HTTP/1.1\r\nHOST: localhost\r\n\r\n",
    "an empty Host": b"GET /healthz HTTP/1.1\r\nHost:\r\n\r\n",
    "bytes above ASCII in a header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: \xe9\xff\r\n\r\n",
    "an empty line first": b"\r\n" + GET,
    "empty lines first": b"\r\n\r\n" + GET,
    "an unknown method": b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "an endless line": b"A" * 40_000,
    "the absolute form": b"GET http://localhost/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "the asterisk": b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a fragment": b"GET /healthz#x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "quotes in a target": b'GET /channels/"<>`{|}^ HTTP/1.1\r\nHost: localhost\r\n\r\n',
    "HEAD": b"HEAD /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "HTTP/1.0": b"GET /healthz HTTP/1.0\r\n\r\n",
    "HTTP/1.0 that would stay": b"GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET,
    "more after a close": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    + GET
    + b"x",
    "an upgrade that is not wanted": (
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\n"
        b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n" + GET
    ),
    "an upgrade with a body": (
        POST + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 12\r\n\r\n" + READ + GET
    ),
    "a GET with a body": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}" + GET,
    "an empty body": POST + b"Content-Length: 0\r\n\r\n" + GET,
    "no body": POST + b"\r\n" + GET,
    "chunks": POST
    + b"Transfer-Encoding: chunked\r\n\r\n5\r\n"
    + READ[:5]
    + b"\r\n7\r\n"
    + READ[5:]
    + b"\r\n0\r\n\r\n",
    "chunks in capitals": POST + b"Transfer-Encoding: CHUNKED\r\n\r\nC\r\n" + READ + b"\r\n0\r\n\r\n" + GET,
    "chunk extensions": POST + CHUNKED + b"c;a=b;c\r\n" + READ + b"\r\n0;x\r\n\r\n" + GET,
    "trailers": POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nHost: x\r\nX: y\r\n\r\n" + GET,
    "leading zeros": POST + b"Content-Length: 0012\r\n\r\n" + READ + GET,
    "an expectation": POST + b"Expect: 100-continue\r\nContent-Length: 12\r\n\r\n" + READ + GET,
    "another expectation": POST + b"Expect: a-miracle\r\nContent-Length: 12\r\n\r\n" + READ + GET,
    "a body too large": POST + b"Content-Length: 262145\r\n\r\n" + b"a" * 100,
    "many requests at once": GET * 300,
    "a bad one after good ones": GET * 3 + b"GET /healthz HTTP/9\r\n\r\n" + GET,
    "a bad chunk after good ones": GET * 3 + POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "half a request": GET[:-2],
    "spaces after the target": b"GET /healthz   HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a bare LF first": b"\n" + GET,
    "a bare CR first": b"\r" + GET,
    "a bare LF after a request": GET + b"\n" + GET,
    "a control byte in a header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\x01b\r\n\r\n",
    "DEL in a header": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\x7fb\r\n\r\n",
    "a method of WebDAV": b"PROPFIND /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" + GET,
    "a method of RTSP": b"DESCRIBE /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "RTSP": b"OPTIONS /healthz RTSP/1.0\r\nHost: localhost\r\n\r\n",
    "ICE": b"SOURCE /healthz ICE/1.0\r\nHost: localhost\r\n\r\n",
    "CONNECT to a path": b"CONNECT /x HTTP/1.1\r\nHost: localhost\r\n\r\n" + GET,
    "a length that trails": POST + CHUNKED + b"0\r\nContent-Length: 3\r\n\r\n" + GET,
    "a coding that trails": POST + CHUNKED + b"0\r\nTransfer-Encoding: chunked\r\n\r\n" + GET,
    "a close that trails": POST + CHUNKED + b"0\r\nConnection: close\r\n\r\n" + GET,
    "a proxy's close": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nProxy-Connection: close\r\n\r\n" + GET,
    "a foreign host": b"GET /healthz HTTP/1.1\r\nHost: evil.example\r\n\r\n" + GET,
    "a foreign origin": b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nOrigin: http://evil.example\r\n\r\n"
    + GET,
}
"""What both transports read, or refuse with something else."""

METHODS = ["GET", "POST", "POST", "POST", "POST", "PUT", "HEAD", "OPTIONS", "DELETE", "PATCH"]
CHANNELS = ["room", "room", "room", "other", "nowhere", "Bad", "a%2Fb", "%72oom"]
ACTIONS = ["append", "append", "claim", "claim", "done", "reassign", "read", "read", "subscribe", "nope"]


class Generator:
    """Makes requests at random, each alike from one seed: most are good, some are wrong in some way."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._number = 0

    def request(self) -> bytes:
        """One request, well formed as far as its framing goes."""
        pick = self._random.choice
        method, target = pick(METHODS), self._target()
        body = b"" if method == "GET" and self._random.random() < 0.9 else self._body(target)
        version = pick(["1.1"] * 30 + ["1.0"])
        headers = [("Host", pick(["localhost"] * 20 + ["127.0.0.1:80", "LOCALHOST.", "evil.example"]))]
        headers += [("Authorization", f"{pick(['Bearer', 'bearer'])} {pick(TOKENS)}")] * pick(
            [1] * 20 + [0, 2]
        )
        for name, values in RARE.items():
            if self._random.random() < 0.05:
                headers.append((name, pick(values)))
        framed = self._framed(body, headers) if version == "1.1" or body else b""
        self._random.shuffle(headers)
        lines = [f"{method} {target} HTTP/{version}"]
        lines += [
            f"{self._cased(name)}:{pick(['', ' ', '  '])}{value}{pick(['', ' '])}" for name, value in headers
        ]
        return "\r\n".join([*lines, "", ""]).encode() + framed

    def cut(self, data: bytes) -> list[bytes]:
        """The same bytes in segments."""
        if self._random.random() < 0.3:
            return [data]
        places = sorted(self._random.randrange(len(data)) for _ in range(self._random.choice([1, 3, 10])))
        return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def count(self, most: int) -> int:
        return self._random.randint(1, most)

    def _cased(self, name: str) -> str:
        return self._random.choice([name, name.lower(), name.upper()])

    def _target(self) -> str:
        pick = self._random.choice
        channel = pick(CHANNELS)
        target = pick(
            [f"/channels/{channel}/{pick(ACTIONS)}"] * 12
            + ["/healthz", "/channels", "/channels", f"/channels/{channel}", "/", "/%ZZ", "/nope/%FF"]
            + [f"/channels/{channel}/artifacts/{pick(['0' * 64, 'x'])}", "/admin/tokens", "/openapi.json"]
        )
        query = pick([""] * 8 + ["?", "?since=1", "?x=%ZZ"])
        return (
            pick([target] * 15 + ["http://localhost" + target, target.replace("/", "//"), target + "/"])
            + query
        )

    def _body(self, target: str) -> bytes:
        pick = self._random.choice
        self._number += 1
        message: dict[str, Any] = {
            "type": pick(["note", "finding", "claim", "nonsense"]),
            "msg_id": pick(["01ARZ3NDEKTSV4RRFFQ69G5FAV"] * 9 + ["x"]),
            "body": pick(["same", f"number {self._number}", "with ünïcode", "\r", "x" * 9000]),
        }
        if "claim" in target or "done" in target or "reassign" in target:
            message["type"] = "claim"
        if message["type"] == "claim":
            message["target"] = pick(["db", "api", "  db", " "])
        extra = self._random.choice(RARE_FIELDS) if self.chance(0.4) else {}
        makers: list[Callable[[], bytes]] = [
            lambda: _json(**message, **extra),
            lambda: _json(cursor=pick([0, 0, 1, 2.0, -1, None]), limit=pick([1, 3, 900])),
            lambda: _json(channel=pick(["room", "other", f"c-{self._number}", "Bad", None])),
            lambda: pick(RARE_BODIES),
        ]
        weights = [8, 1, 1, 1] if "room/" in target or "other/" in target else [2, 2, 3, 1]
        if "read" in target:
            weights = [1, 8, 1, 1]
        return self._random.choices(makers, weights)[0]()

    def _framed(self, body: bytes, headers: list[tuple[str, str]]) -> bytes:
        """The body on the wire; ``headers`` gains what says so."""
        if not body and self.chance(0.5):
            return b""
        if self.chance(0.2):
            headers.append(("Transfer-Encoding", self._random.choice(["chunked", "Chunked"])))
            framed = b""
            while body:
                size = self._random.randint(1, len(body))
                framed += b"%x%b\r\n%b\r\n" % (size, self._random.choice([b"", b";a=b"]), body[:size])
                body = body[size:]
            return framed + self._random.choice([b"0\r\n\r\n", b"000\r\nX: y\r\n\r\n"])
        headers.append(("Content-Length", str(len(body))))
        return body


TOKENS = ["tok-alice"] * 4 + ["tok-bob"] * 4 + ["nobody", ""]
ASSIGNEE = {"agent_id": "carol-agent", "owner": "carol"}
RARE_FIELDS: list[dict[str, object]] = [
    {"thread": None}, {"to": ["bob"]}, {"lease_ttl": 60.0}, {"assignee": ASSIGNEE}, {"lease_ttl": 10**30}
]  # fmt: skip
RARE_BODIES = [b"", b"{", b"[]", b"null", b" ", b"\xff", b'"x"', b"[" * 501 + b"]" * 501, b"1e999"]
RARE = {
    "Connection": ["close", "keep-alive", "TE, Close"],
    "Origin": ["http://localhost:1", "null", "http://evil.example"],
    "Expect": ["100-continue", "nothing"],
    "Upgrade": ["h2c"],
    "X-Long": ["x" * 5000, "é"],
    "Content-Type": ["application/json", "multipart/form-data", "application/x-www-form-urlencoded"],
}


def _json(**fields: object) -> bytes:
    return json.dumps(fields).encode()
