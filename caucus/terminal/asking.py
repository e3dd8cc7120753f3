"""Requests of the command line: each is one, a write is known by a key, and a refusal is an exit status."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from caucus.agents.quoting import one_line
from caucus.terminal.connecting import Address
from caucus.terminal.contexts import Context
from caucus.terminal.exchange import Connection
from caucus.terminal.exits import LOST, NO_AUTHORITY, PACED, UNREACHABLE, Failed

SECONDS: Final = 30
"""How long an answer is waited for, beyond what the request itself may wait."""
TRIES: Final = 3
PAUSE: Final = 0.3
LONGEST_PAUSE: Final = 5.0
"""What ``Retry-After`` may say at most to be waited for."""
STALL_SECONDS: Final = 45
"""A stream that says nothing for so long is lost: three comments are missing."""

_STATUSES: Final = {401: NO_AUTHORITY, 403: NO_AUTHORITY, 429: PACED, 503: UNREACHABLE}
_LOST: Final = frozenset({"claim_lost", "unknown_claim", "forbidden"})
"""Refusals which say that a claim is not, or no longer, the caller's."""
_HINTS: Final = {
    "unauthorized": "(it may be of another backbone, or of before a restart: caucus login keeps another)",
    "unknown_channel": "caucus rooms lists them, and makes one.",
}
"""What to do about some refusals."""
_HOPELESS: Final = (ConnectionRefusedError, FileNotFoundError, PermissionError, TimeoutError)
"""Nobody is there, or whoever is takes too long."""
_UNDONE: Final = frozenset({"overloaded", "storage_unavailable"})
_BEFORE_THE_KEY: Final = frozenset({401, 408, 413, 421, 431, 500, 503})
"""Statuses of refusals that may come before it is looked at what an earlier attempt with a key came to."""
_UNKNOWN: Final = {
    "code": "outcome_unknown",
    "message": "it is not known whether this was written: look before you try again",
}
_AGAIN: Final = _UNDONE | {_UNKNOWN["code"]}


class Fields(dict[str, Any]):
    """An object of an answer; what is not in it is ``None``."""

    def __getattr__(self, name: str) -> Any:
        return self.get(name)


class Refused(Failed):
    """The backbone said no; ``code`` is its word for it, ``fields`` all that it said."""

    def __init__(self, status: int, error: Mapping[str, Any], url: str) -> None:
        self.code = str(error.get("code", ""))
        self.fields = error
        said = one_line(str(error.get("message", "")), 1000)
        issues = error.get("issues")
        if isinstance(issues, list):
            said = " ".join([said, *(one_line(str(one), 300) for one in issues[:8])])
        if not self.code:
            said = f"what answers at {url} is no Caucus (status {status})"
        ends = LOST if self.code in _LOST else _STATUSES.get(status, 1)
        super().__init__(said, ends)


class Asker:
    """Asks a backbone, on one connection after the other, as whoever the context's token stands for.

    ``date`` is what the last answer said it was there, and ``seconds`` how long one is waited for.
    """

    def __init__(self, context: Context, tries: int = TRIES) -> None:
        try:
            self._address = Address(context.url)
        except ValueError as error:
            raise Failed(str(error), 2) from None
        self._token = context.token
        self._connection: Connection | None = None
        self.url = self._address.url
        self.date = ""
        self.seconds: float = SECONDS
        self._tries = tries

    def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | bytes | None = None,
        *,
        query: Iterable[tuple[str, str]] = (),
        wait: float = 0,
        reads: bool = False,
    ) -> Any:
        """What is answered, mostly `Fields`. A write is tried again if nobody knows its outcome.

        :param reads: whether nothing is written, whatever the method.
        :param wait: the seconds for which the request itself may wait.

        Raises `Refused`, and `Failed` if there is no answer.
        """
        pairs = list(query)
        headers = self._headers()
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if method != "GET":
            headers["Content-Type"] = "application/octet-stream" if body is data else "application/json"
            headers["Idempotency-Key"] = os.urandom(16).hex()
            data = data or b""
        target = path + (f"?{urlencode(pairs)}" if pairs else "")
        writes = method != "GET" and not reads
        return fields_of(self._answer(method, target, data, headers, wait + self.seconds, writes=writes))

    def fetch(self, path: str) -> bytes:
        """The bytes that lie there. Raises as `ask` does."""
        return self._answer("GET", path, None, self._headers(), self.seconds)

    def stream(self, path: str, query: Iterable[tuple[str, str]], position: str = "") -> Iterator[bytes]:
        """The bytes of a stream of events, after a position. Raises `Refused` and `OSError`."""
        headers = self._headers() | {"Accept": "text/event-stream"}
        if position:
            headers["Last-Event-ID"] = position
        connection = Connection(self._address, STALL_SECONDS)
        try:
            target = f"{path}?{urlencode(list(query))}"
            answer = connection.begin("GET", target, headers, None, STALL_SECONDS)
            body = connection.stream(answer, STALL_SECONDS)
            if answer.status != 200:
                raise self._refusal(answer.status, b"".join(body))
            yield from body
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"} if self._token else {}

    def _answer(
        self,
        method: str,
        target: str,
        data: bytes | None,
        headers: dict[str, str],
        seconds: float,
        *,
        writes: bool = False,
    ) -> bytes:
        in_doubt = False
        for left in reversed(range(self._tries)):
            try:
                status, answer, pause = self._once(method, target, data, headers, seconds)
            except OSError as error:
                if not left or isinstance(error, _HOPELESS):
                    raise self._unreachable(error, in_doubt=in_doubt) from None
                in_doubt = writes
                time.sleep(PAUSE)
                continue
            if status < 400:
                return answer
            refusal = self._refusal(status, answer)
            if not left or refusal.code not in _AGAIN or pause > LONGEST_PAUSE:
                if in_doubt and refusal.code and status in _BEFORE_THE_KEY:
                    raise Refused(503, _UNKNOWN, self.url)
                raise refusal
            in_doubt = in_doubt or (writes and refusal.code not in _UNDONE)
            time.sleep(pause)
        raise AssertionError  # pragma: no cover  # the last try returns or raises

    def _once(
        self, method: str, target: str, data: bytes | None, headers: dict[str, str], seconds: float
    ) -> tuple[int, bytes, float]:
        connection, self._connection = self._connection, None
        if connection is None:
            connection = Connection(self._address, seconds)
        try:
            answer = connection.ask(method, target, headers, data, seconds)
        except BaseException:
            connection.close()
            raise
        if answer.is_kept:
            self._connection = connection
        else:
            connection.close()
        after = answer.headers.get("retry-after", "")
        self.date = answer.headers.get("date", "")
        return (
            answer.status,
            b"".join(answer.body),
            float(after) if after.isascii() and after.isdigit() else 1.0,
        )

    def _refusal(self, status: int, answer: bytes) -> Refused:
        try:
            error = json.loads(answer)["error"]
        except (ValueError, KeyError, TypeError, RecursionError):
            error = {}
        if not isinstance(error, dict):
            error = {}
        if status in (401, 403) and not self._token:
            error = {"code": "unauthorized", "message": NO_TOKEN}
        elif (hint := _HINTS.get(str(error.get("code")))) is not None:
            error = {**error, "message": f"{error.get('message')} {hint}"}
        return Refused(status, error, self.url)

    def _unreachable(self, error: Exception, *, in_doubt: bool) -> Failed:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        doubt = f"; {_UNKNOWN['message']}" if in_doubt else ""
        return Failed(f"{self.url} is not to be reached: {one_line(reason, 200)}{doubt}", UNREACHABLE)


NO_TOKEN: Final = "this needs a token: set CAUCUS_TOKEN, or keep one with caucus login"  # noqa: S105


def fields_of(text: bytes) -> Any:
    """The object that a JSON text says. Raises `Failed`."""
    try:
        found = json.loads(text, object_hook=Fields)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, Fields):
        raise Failed("what answers is no Caucus")
    return found


def in_room(room: str, *more: str) -> str:
    """The path of something in a room."""
    return "/".join(("/channels", *(quote(one, safe="") for one in (room, *more))))
