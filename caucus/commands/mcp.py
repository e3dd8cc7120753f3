"""``caucus mcp``: a bridge from standard input to the daemon's door, for harnesses that start a process.

A message is a line of JSON, and goes to ``POST /mcp`` as it is; what comes back is a line on standard output.
Nothing else is written there. It starts with each agent, and so it imports the standard library alone.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from base64 import b64encode
from collections.abc import Iterable
from http.client import HTTPConnection, HTTPException
from typing import IO, Any
from urllib.parse import quote

from caucus.terminal import contexts
from caucus.terminal.connecting import Address

ACCEPTED = 202
SECONDS = 60
"""How long an answer is waited for: a call may wait for 50 s."""
VERSION_OF = "io.modelcontextprotocol/protocolVersion"
KEYS = ("caucus/idempotencyKey", "claudecode/toolUseId")
"""What names a call already, and does so when its harness repeats it."""
INTERNAL_ERROR = -32603

Fields = dict[str, Any]


class _Connection(HTTPConnection):
    """Over whatever the address says."""

    def __init__(self, address: Address) -> None:
        super().__init__(address.host, timeout=SECONDS)
        self._address = address

    def connect(self) -> None:
        self.sock = self._address.open(SECONDS)


class Door:
    """The daemon's door: keeps connections for the next message, and each carries one at a time.

    :param url: where the daemon is.
    :param token: whose door it is.
    :param room: the room that is meant where a call names none.
    """

    def __init__(self, url: str, token: str, room: str) -> None:
        self._address = Address(url)
        self.url = self._address.url
        self._path = self._address.path + "/mcp" + (f"?room={quote(room, safe='')}" if room else "")
        self._token = token
        self._idle: list[HTTPConnection] = []

    def send(self, line: bytes) -> bytes:
        """What a message is answered with; empty for nothing. What may write is known if it comes twice."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._token}"}
        headers |= repeated(line)
        connection = self._idle.pop() if self._idle else None
        if connection is not None:
            try:
                return self._ask(connection, line, headers)
            except (HTTPException, ConnectionError):
                connection.close()  # the daemon has closed it meanwhile: the key makes a second time harmless
        return self._ask(_Connection(self._address), line, headers)

    def _ask(self, connection: HTTPConnection, line: bytes, headers: dict[str, str]) -> bytes:
        connection.request("POST", self._path, line, headers)
        answer = connection.getresponse()
        body = answer.read()
        self._idle.append(connection)
        if answer.status == ACCEPTED:
            return b""
        if not is_message(body):
            raise Refused(sentence(body))
        return body


def repeated(line: bytes) -> dict[str, str]:
    """The headers that say what is in a message too, for the daemon and for whatever stands in between."""
    message = message_of(line)
    params = message.get("params")
    given: Fields = params if isinstance(params, dict) else {}
    found = given.get("_meta")
    meta: Fields = found if isinstance(found, dict) else {}
    headers = {}
    if message.get("method") == "tools/call" and not any(key in meta for key in KEYS):
        headers["Idempotency-Key"] = os.urandom(16).hex()
    version = meta.get(VERSION_OF)
    if isinstance(version, str):
        name = given.get("name")
        said = {"MCP-Protocol-Version": version, "Mcp-Method": message.get("method"), "Mcp-Name": name}
        headers |= {key: fit(value) for key, value in said.items() if isinstance(value, str)}
    return headers


def fit(value: str) -> str:
    """A text as a header can carry it."""
    if value.isascii() and value.isprintable() and value == value.strip():
        return value
    return f"=?base64?{b64encode(value.encode()).decode()}?="


def message_of(line: bytes) -> Fields:
    """The message in a line, or an empty one."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}


def is_message(body: bytes) -> bool:
    """Whether an answer is one of the protocol, and not a refusal of HTTP."""
    return message_of(body).get("jsonrpc") == "2.0"


class Refused(Exception):
    """The daemon, or what stands before it, has refused the request."""


def sentence(body: bytes) -> str:
    """What an envelope says."""
    error = message_of(body).get("error")
    said = error.get("message") if isinstance(error, dict) else None
    return said if isinstance(said, str) else "it did not answer as Caucus does"


class Bridge:
    """Sends each line on a thread of its own: a call that waits holds up none."""

    def __init__(self, door: Door, out: IO[bytes]) -> None:
        self._door = door
        self._out = out
        self._lock = threading.Lock()

    def run(self, lines: Iterable[bytes]) -> None:
        """Until there are no more lines, and all are answered."""
        threads: list[threading.Thread] = []
        for line in lines:
            if line.strip():
                threads = [one for one in threads if one.is_alive()]
                threads.append(threading.Thread(target=self._carry, args=(line.strip(),)))
                threads[-1].start()
        for thread in threads:
            thread.join()

    def _carry(self, line: bytes) -> None:
        try:
            answer = self._door.send(line)
        except Refused as error:
            answer = self._told(line, f"Caucus refused it: {error}. The token is that of CAUCUS_TOKEN.")
        except (OSError, ValueError, HTTPException) as error:
            reason = f"Caucus is not to be reached at {self._door.url}: {error}"
            answer = self._told(line, f"{reason}. Go on without it.")
        if answer:
            with self._lock:
                self._out.write(answer.replace(b"\n", b" ") + b"\n")
                self._out.flush()

    def _told(self, line: bytes, text: str) -> bytes:
        """An error for whoever has asked something."""
        message = message_of(line)
        if "id" not in message or "method" not in message:
            return b""
        error = {"code": INTERNAL_ERROR, "message": text}
        return json.dumps({"jsonrpc": "2.0", "id": message["id"], "error": error}).encode()


def main() -> int:
    """Run until standard input ends."""
    try:
        context = contexts.chosen(os.environ)
        door = Door(context.url, context.token, context.room)
    except (ValueError, contexts.BadConfiguration) as error:
        sys.stderr.write(f"caucus mcp: {error}\n")
        return 2
    if not context.token:
        sys.stderr.write("caucus mcp: CAUCUS_TOKEN is not set, and no context has a token\n")
        return 2
    try:
        Bridge(door, sys.stdout.buffer).run(sys.stdin.buffer)
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    return 0
