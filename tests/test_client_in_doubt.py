"""The client and a write whose first attempt may have been carried out."""

from __future__ import annotations

import pytest
from twisted.internet import reactor
from twisted.internet.task import Clock

from caucus import HTTPBackbone
from caucus.errors import DuplicatePost, OutcomeUnknown
from tests.test_client import Counterpart, answering
from tests.test_client_away import APPENDED, NOTE, a_while

UNKNOWN = answering(
    b"503 Service Unavailable", b'{"error":{"code":"outcome_unknown","message":"","retry_after":1}}'
)
AWAY = answering(
    b"503 Service Unavailable",
    b'{"error":{"code":"storage_unavailable","message":"Storage has failed and nothing was written."}}',
)


async def test_what_may_have_been_written_is_asked_for_with_its_key_until_storage_can_tell() -> None:
    clock = Clock()
    async with Counterpart(UNKNOWN) as there:
        client = HTTPBackbone(reactor, there.url, clock=clock, retry_seconds=10)
        asking = client.append("room", NOTE)
        for attempt, answer in enumerate((AWAY, AWAY, APPENDED), 1):
            await there.until(attempt)
            await a_while()
            there.answer = answer
            clock.advance(1)
        assert (await asking).cursor == 1
        keys = {line for one in there.received for line in one.split(b"\r\n") if b"Idempotency" in line}
        assert (len(there.received), len(keys)) == (4, 1)
        await client.close()


async def append_in_doubt(status: int, code: str) -> None:
    """Append what may have been written, and be refused when it is asked for again."""
    clock = Clock()
    async with Counterpart(UNKNOWN) as there:
        client = HTTPBackbone(reactor, there.url, clock=clock, retry_seconds=10)
        asking = client.append("room", NOTE)
        await there.until(1)
        await a_while()
        there.answer = answering(b"%d X" % status, b'{"error":{"code":"%b","message":""}}' % code.encode())
        clock.advance(1)
        try:
            await asking
        finally:
            await client.close()


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (401, "unauthorized"),
        (408, "request_timeout"),
        (421, "misdirected_request"),
        (431, "headers_too_large"),
        (500, "internal_error"),
    ],
)
async def test_what_is_refused_before_the_key_is_looked_at_settles_nothing(status: int, code: str) -> None:
    with pytest.raises(OutcomeUnknown):
        await append_in_doubt(status, code)


async def test_a_refusal_by_the_rules_settles_what_was_in_doubt() -> None:
    with pytest.raises(DuplicatePost):
        await append_in_doubt(409, "duplicate_post")


async def test_what_may_have_been_written_is_not_said_to_be_undone_because_storage_is_away() -> None:
    clock = Clock()
    async with Counterpart(UNKNOWN) as there:
        client = HTTPBackbone(reactor, there.url, clock=clock, retry_seconds=2)
        asking = client.append("room", NOTE)
        for attempt in range(1, 20):
            await there.until(attempt)
            await a_while()
            if asking.called:
                break
            there.answer = AWAY
            clock.advance(0.5)
        with pytest.raises(OutcomeUnknown):
            await asking
        await client.close()
