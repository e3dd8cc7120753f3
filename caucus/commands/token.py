"""``caucus-token``: mint, revoke and rotate write tokens, for people.

The admin token comes from the environment only, since a command line is for everyone to see. A
new token goes to standard output, once; everything else goes to standard error.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import react
from twisted.python import usage

from caucus.access.tokens import token_digest
from caucus.client.call import call
from caucus.client.exchange import Exchange
from caucus.errors import CaucusError
from caucus.standard import put
from caucus.terminal.connecting import DEFAULT_URL
from caucus.wire import operations
from caucus.wire.jsontext import encode_json
from caucus.wire.operation import Operation

T = TypeVar("T")


class MintOptions(usage.Options):
    """``mint AGENT_ID OWNER``."""

    synopsis = "AGENT_ID OWNER"

    def parseArgs(self, agent_id: str, owner: str) -> None:  # type: ignore[override]  # Twisted calls it so
        self["agent_id"], self["owner"] = agent_id, owner


class RotateOptions(MintOptions):
    """``rotate AGENT_ID OWNER [--digest HEX]``."""

    synopsis = "[--digest HEX] AGENT_ID OWNER"
    optParameters = [  # noqa: RUF012
        ["digest", None, None, "replace the token with this SHA-256 only, 64 hexadecimal digits"]
    ]


class RevokeOptions(usage.Options):
    """``revoke AGENT_ID`` or ``revoke --digest HEX``."""

    synopsis = "AGENT_ID | --digest HEX"
    optParameters = [  # noqa: RUF012
        ["digest", None, None, "revoke the token with this SHA-256 only, 64 hexadecimal digits"]
    ]

    def parseArgs(self, agent_id: str = "") -> None:
        self["agent_id"] = agent_id

    def postOptions(self) -> None:
        if bool(self["agent_id"]) == bool(self["digest"]):
            raise usage.UsageError("revoke takes an AGENT_ID or a --digest")


class Options(usage.Options):
    """The options before the action."""

    synopsis = "[--url URL] mint|rotate|revoke ..."
    longdesc = "CAUCUS_ADMIN_TOKEN must hold the admin token; the backbone takes it over loopback only."
    optParameters = [  # noqa: RUF012
        ["url", None, None, f"the backbone's URL; CAUCUS_URL or {DEFAULT_URL} if not given"]
    ]
    subCommands = [  # noqa: RUF012
        ["mint", None, MintOptions, "make a token and print it, once"],
        ["rotate", None, RotateOptions, "make a token, print it, and revoke the agent's old ones"],
        ["revoke", None, RevokeOptions, "revoke an agent's minted tokens, or one of them"],
    ]

    def postOptions(self) -> None:
        if self.subCommand is None:
            raise usage.UsageError("an action is needed: mint, rotate or revoke")


async def run(reactor: Any, options: Options, environment: Mapping[str, str]) -> None:
    """Do what was asked. Ends with `SystemExit`, whose text or status says how it went."""
    admin_token = environment.get("CAUCUS_ADMIN_TOKEN", "")
    if not admin_token:
        raise SystemExit("caucus-token: CAUCUS_ADMIN_TOKEN is not set")
    action = str(options.subCommand)
    if action != "revoke" and sys.stdout is None:
        raise SystemExit("caucus-token: standard output is closed, so that a token could not be shown")
    url = options["url"] or environment.get("CAUCUS_URL") or DEFAULT_URL
    try:
        exchange = Exchange(reactor, url, admin_token)
        try:
            await _act(exchange, action, options.subOptions)
        finally:
            await exchange.close()
    except (CaucusError, ValueError) as error:
        raise SystemExit(f"caucus-token: {error}") from None


async def _act(exchange: Exchange, action: str, given: Mapping[str, str | None]) -> None:
    if action == "revoke":
        gone = await _ask(exchange, operations.REVOKE, given)
        _say("revoked" if gone.revoked else "there was no such minted token")
        if not gone.revoked:
            raise SystemExit(1)
        return
    token, _ = await _ask(exchange, operations.MINT if action == "mint" else operations.ROTATE, given)
    try:
        put(sys.stdout, f"{token}\n")
    except OSError as error:
        await _take_back(exchange, token, error)
    _say(f"a token of {given['agent_id']} for {given['owner']}; it is not shown again")


async def _take_back(exchange: Exchange, token: str, error: OSError) -> None:
    """Nobody will ever have the token: revoke it, and say so."""
    digest = token_digest(token.encode()).hex()
    said = f"caucus-token: the token could not be printed ({error.strerror})"
    try:
        await _ask(exchange, operations.REVOKE, {"digest": digest})
    except CaucusError as refusal:
        raise SystemExit(f"{said}, nor revoked again: {refusal} Its digest is {digest}.") from None
    raise SystemExit(f"{said} and was revoked again")


async def _ask(exchange: Exchange, operation: Operation[T], given: Mapping[str, str | None]) -> T:
    fields = {name: value for name, value in given.items() if value}
    return await call(exchange, operation, body=encode_json(fields))


def _say(text: str) -> None:
    """On standard error, if that can be written to: what was done is done."""
    with suppress(OSError):
        put(sys.stderr, f"caucus-token: {text}\n")


def main(arguments: Sequence[str] | None = None) -> None:
    """The ``caucus-token`` command."""
    options = Options()
    try:
        options.parseOptions(sys.argv[1:] if arguments is None else arguments)
    except usage.UsageError as error:
        raise SystemExit(f"caucus-token: {error}") from None
    react(lambda reactor: Deferred.fromCoroutine(run(reactor, options, os.environ)))
