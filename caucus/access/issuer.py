"""The issuer: mints, revokes and rotates write tokens, with an audit line for each attempt.

A minted token is shown once, as the return value, and kept as a digest.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Mapping

from twisted.logger import Logger

from caucus.access.principals import Principal
from caucus.access.tokens import Tokens, token_digest
from caucus.errors import CaucusError, InvalidRequest, TokenLimit, Unauthorized
from caucus.interfaces import ITokenKeeper
from caucus.limits import Limits
from caucus.model.problems import identity_problems
from caucus.model.records import CAUCUS, Identity
from caucus.model.stamps import instant
from caucus.model.text import excerpt

_log = Logger("caucus.issuer")
_DIGEST = re.compile("[0-9a-f]{64}")


class Issuer:
    """Changes who may write, for whoever holds the admin token.

    :param admin_token: taken as it is; empty turns the issuer off.
    :param audit: takes one JSON line, without its end, for each attempt; ``None`` writes none.
    :param wall: seconds since the epoch, for the audit's instants.
    :param keeper: makes the changes to ``tokens`` and keeps them; without one they are made here and
        end with the process.
    :param most: how many minted tokens there may be.
    """

    def __init__(
        self,
        tokens: Tokens,
        admin_token: str,
        audit: Callable[[str], None] | None,
        wall: Callable[[], float],
        keeper: ITokenKeeper | None = None,
        most: int = Limits().max_minted_tokens,
    ) -> None:
        self._tokens = tokens
        self._admin = token_digest(admin_token.encode("utf-8", "surrogateescape")) if admin_token else None
        self._audit = audit
        self._wall = wall
        self.keeper = keeper
        self._most = most

    def authorize(self, operation: str, digest: bytes | None, body: object, *, local: bool) -> None:
        """Raises `Unauthorized` unless the admin token came in by a ``local`` listener.

        Where the issuer is on, what was refused is audited, with the identity that ``body`` claims.
        """
        if self._admin is None or not local:
            raise Unauthorized
        if digest != self._admin:
            claimed = {name: excerpt(text) for name, text in _texts(body).items() if name != "digest"}
            self._note(operation, "unauthorized", claimed)
            raise Unauthorized

    def admin(self, digest: bytes | None, *, local: bool) -> Principal | None:
        """The backbone's own name, for whoever has the admin token and came in by a ``local`` listener."""
        if self._admin is None or not local or digest != self._admin:
            return None
        return Principal(CAUCUS, self._admin)

    async def mint(self, body: object) -> tuple[str, Identity]:
        """A new token for ``agent_id`` and ``owner``. Raises `InvalidRequest` or `TokenLimit`."""
        identity = self._identity("mint", body)
        token = await self._mint("mint", identity, {})
        return token, identity

    async def revoke(self, body: object) -> bool:
        """Remove the minted tokens that ``digest`` or else ``agent_id`` names; says whether any went.

        Raises `InvalidRequest` if it names none.
        """
        given = _texts(body)
        if not given.keys() & {"digest", "agent_id"}:
            self._note("revoke", "invalid_request", {})
            raise InvalidRequest("An agent_id or a digest is needed, a non-empty string.")
        named = {} if "digest" in given else {"agent_id": excerpt(given["agent_id"])}
        digest = given.get("digest")
        gone = await self._change("revoke", None, given, named, digest)
        self._note("revoke", "revoked" if gone else "not_found", named, digest)
        return bool(gone)

    async def rotate(self, body: object) -> tuple[str, Identity]:
        """As `mint`; the minted tokens that ``digest`` or else ``agent_id`` names go once it is made."""
        identity = self._identity("rotate", body)
        token = await self._mint("rotate", identity, _texts(body))
        return token, identity

    def _identity(self, operation: str, body: object) -> Identity:
        given = _texts(body)
        identity = Identity(given.get("agent_id", ""), given.get("owner", ""))
        problems = identity_problems(identity.agent_id, identity.owner)
        if problems:
            named = {name: excerpt(text) for name, text in given.items() if name != "digest"}
            self._note(operation, "invalid_request", named)
            raise InvalidRequest(f"{'; '.join(one.issue for one in problems)}.")
        return identity

    async def _mint(self, operation: str, identity: Identity, revoked: Mapping[str, str]) -> str:
        token = "tok_" + secrets.token_urlsafe(32)
        digest = token_digest(token.encode())
        named = {"agent_id": identity.agent_id, "owner": identity.owner}
        await self._change(operation, (digest, identity), revoked, named, digest.hex())
        self._note(operation, "ok", named, digest.hex())
        return token

    async def _change(
        self,
        operation: str,
        minted: tuple[bytes, Identity] | None,
        revoked: Mapping[str, str],
        named: Mapping[str, str],
        shown: str | None,
    ) -> list[bytes]:
        """Mint a token and revoke those that ``revoked`` names; gives the digests of what was revoked."""
        agent_id, digest = revoked.get("agent_id"), None
        if "digest" in revoked:
            digest = bytes.fromhex(revoked["digest"]) if _DIGEST.fullmatch(revoked["digest"]) else b""
        try:
            if self.keeper is not None:
                return await self.keeper.change_tokens(minted, digest=digest, agent_id=agent_id)
            return self._change_here(minted, self._tokens.named(digest, agent_id))
        except CaucusError as error:
            unmade = isinstance(error, TokenLimit | InvalidRequest)
            self._note(operation, error.code, named, None if unmade else shown)
            raise

    def _change_here(self, minted: tuple[bytes, Identity] | None, gone: list[bytes]) -> list[bytes]:
        if minted is not None:
            self._tokens.require_free(minted[1])
            if self._tokens.minted_count + 1 - len(gone) > self._most:
                raise TokenLimit(self._most)
            self._tokens.add(*minted)
        for one in gone:
            self._tokens.remove(one)
        return gone

    def _note(self, operation: str, result: str, named: Mapping[str, str], digest: str | None = None) -> None:
        if self._audit is None:
            return
        line = {"kind": "caucus.admin.audit", "op": operation, **named}
        if digest is not None and _DIGEST.fullmatch(digest):  # anything else may be part of a token
            line["digest"] = digest[:12]
        line |= {"ts": instant(self._wall()), "result": result}
        try:
            self._audit(json.dumps(line))
        except Exception:
            _log.failure("An audit line could not be written")  # what was done is done, and answered so


def _texts(body: object) -> dict[str, str]:
    """The fields that name somebody; a value that is no non-empty string counts as absent."""
    if not isinstance(body, Mapping):
        return {}
    names = ("agent_id", "owner", "digest")
    return {name: body[name] for name in names if isinstance(body.get(name), str) and body[name]}
