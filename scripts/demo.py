"""`make demo`: the war-room story, told against a running backbone.

With CAUCUS_URL and CAUCUS_TOKENS (which must name alice, bob and carol as owners) it uses that
backbone, else it starts one and stops it again. Of several URLs, with commas between them, each of the
three takes another. It exits 0 only if all of the story happened.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import react

from caucus import AlreadyClaimed, CaucusError, Granted, HTTPBackbone, Message, Taken, start_server

OWNERS = ("alice", "bob", "carol")


def tell(text: str) -> None:
    print(text, flush=True)


def expect(happened: bool, what: str) -> None:
    """End with status 1 unless this part of the story happened."""
    if not happened:
        raise SystemExit(f"demo: this did not happen: {what}")
    tell(f"  {what}")


@asynccontextmanager
async def backbone(reactor: Any) -> AsyncIterator[tuple[str, dict[str, str]]]:
    """The URL of a running backbone, and the tokens of alice, bob and carol by owner."""
    url, entries = os.environ.get("CAUCUS_URL"), os.environ.get("CAUCUS_TOKENS", "")
    if url and not entries:
        raise SystemExit("demo: CAUCUS_URL is set, and CAUCUS_TOKENS is not")
    if url:
        tokens = {
            owner.strip(): token.strip()
            for token, _, owner in (one.split(":", 2) for one in entries.split(","))
        }
        missing = [owner for owner in OWNERS if owner not in tokens]
        if missing:
            raise SystemExit(f"demo: CAUCUS_TOKENS has no token for {', '.join(missing)}")
        yield url, tokens
    else:
        tokens = {owner: secrets.token_hex(8) for owner in OWNERS}
        server = await start_server(
            reactor, tokens=",".join(f"{tokens[one]}:{one}-agent:{one}" for one in OWNERS)
        )
        yield server.url, tokens
        await server.close()


async def story(reactor: Any) -> None:
    async with backbone(reactor) as (url, tokens):
        urls = cycle(url.split(","))
        alice, bob, carol = people = [HTTPBackbone(reactor, next(urls), tokens[owner]) for owner in OWNERS]
        room = f"war-room-{secrets.token_hex(4)}"
        await alice.create_channel(room, purpose="login 500s since the deploy")
        tell(f"{url} has a new channel, {room}:")

        repro = "auth-timeout repro"
        taken = await alice.claim(room, Message("claim", "reproducing it locally", target=repro))
        expect(isinstance(taken, Granted), f'alice claims "{repro}"')
        lost = await carol.claim(room, Message("claim", "me too", target=repro))
        held = isinstance(lost, AlreadyClaimed) and lost.by.owner == "alice"
        expect(held, "carol claims it too and is told that alice holds it")
        pool = await carol.claim(room, Message("claim", "then this", target="db-pool exhaustion"))
        expect(isinstance(pool, Granted), 'carol takes "db-pool exhaustion" instead')

        asked = await bob.append(room, Message("question", "since when?", status="needs-response"))
        answer = Message("answer", "since 14:02", reply_to=asked.message.msg_id, status="resolved")
        answered = await alice.append(room, answer)
        expect(answered.message.reply_to == asked.message.msg_id, "bob asks and alice answers")
        steer = Message("steer", "look at the 14:02 deploy first")
        steered = await carol.append(room, steer)
        expect(steered.message.owner == "carol", "carol steers")
        code = ""
        try:
            await carol.append(room, steer)
        except CaucusError as error:
            code = error.code
        expect(code == "duplicate_post", "her repeated post is refused")

        done = await alice.mark_claim_done(room, Message("claim", "it is the JWT clock skew", target=repro))
        expect(isinstance(done, Granted), "alice marks her claim done")
        next_one = await bob.claim(room, Message("claim", "verifying the fix", target=repro))
        expect(isinstance(next_one, Granted), "and bob takes it")

        await lease_story(room, alice, bob, carol)

        log = [(message.owner, message.type) for message in (await bob.read_since(room, 0)).messages]
        told = "alice claim,carol claim,bob question,alice answer,carol steer,alice claim,bob claim"
        told += ",alice claim,alice claim,bob claim,bob note,carol claim,carol status,carol claim"
        expect(",".join(f"{owner} {kind}" for owner, kind in log) == told, "the log tells it in this order")
        for person in people:
            await person.close()


async def lease_story(room: str, alice: HTTPBackbone, bob: HTTPBackbone, carol: HTTPBackbone) -> None:
    """A folder is claimed with a lease, waited for, handed over; nobody writes with what once was theirs."""
    fix = await alice.take_claim(room, {"targets": ["src/auth/"], "note": "moving the session check"})
    expect(fix.outcome == "granted", "alice claims the folder src/auth/, while she is heard of")
    wanted = {"targets": ["src/auth/session.py"], "note": "the test for it", "wait": True}
    queued = await bob.take_claim(room, wanted)
    expect(queued.outcome == "queued", "bob wants a file in it, and waits in line")
    if not (isinstance(fix, Taken) and isinstance(queued, Taken)):
        raise SystemExit("demo: nobody has a claim")
    waiting = bob.get_claim(room, queued.claim.claim, wait=20)
    await alice.release_claim(room, fix.claim.claim, note="the check is moved")
    his = await waiting
    expect(his.state == "held", "alice gives it back, and it is his in the same moment")
    await bob.offer_claim(room, his.claim, owner="carol", note="the test is half done")
    hers = await carol.accept_claim(room, his.claim, note="on it")
    expect((hers.fence or 0) > (his.fence or 0), "bob offers it to carol, who accepts: its fence has risen")
    code = ""
    try:
        await bob.fenced(his.claim, his.fence or 0).append(room, Message("status", "pushing my half"))
    except CaucusError as error:
        code = error.code
    expect(code == "claim_lost", "what bob writes under his old grant is refused")
    mine = carol.fenced(hers.claim, hers.fence or 0)
    written = await mine.append(room, Message("status", "the test is green"))
    expect(written.message.owner == "carol", "what carol writes under hers is in")
    await mine.release_claim(room, hers.claim)


async def main(reactor: Any) -> None:
    try:
        await story(reactor)
    except CaucusError as error:
        raise SystemExit(f"demo: {error}") from None


if __name__ == "__main__":
    react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
