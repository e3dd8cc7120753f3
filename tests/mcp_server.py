"""A daemon in which everybody is the same agent: the conformance suite cannot send a token."""

from __future__ import annotations

from twisted.internet import reactor
from twisted.internet.defer import Deferred

from caucus.access.principals import Principal
from caucus.access.tokens import Tokens, token_digest
from caucus.model.records import Identity
from caucus.server import start_server

SOMEBODY = Principal(Identity("bob-laptop", "bob"), token_digest(b"not a token"))


class Open(Tokens):
    """Knows everybody by one name."""

    def find(self, digest: bytes | None) -> Principal:
        return SOMEBODY

    def require(self, digest: bytes) -> None:
        """It is somebody."""


async def main() -> None:
    server = await start_server(reactor, tokens=Open(), port=0, access_log=False)
    await server.backbone.create_channel("room", created_by="bob")
    print(f"caucus-backbone listening on {server.listeners[0].url}", flush=True)


if __name__ == "__main__":
    Deferred.fromCoroutine(main())
    reactor.run()
