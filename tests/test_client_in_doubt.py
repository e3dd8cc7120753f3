"""The client and a write whose first attempt may have been carried out."""

from __future__ import annotations

import pytest
from twisted.internet import reactor
from twisted.internet.task import Clock

from caucus import HTTPBackbone
from caucus.errors import OutcomeUnknown
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
