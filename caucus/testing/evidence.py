"""Cases: artifacts, addressed by their content."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from caucus import errors
from caucus.model.records import StoredArtifact
from caucus.testing.kit import Agent, Kit, refused, same

DATA = b"\x00\x01evidence\xff"
ADDRESS = sha256(DATA).hexdigest()


async def _put(agent: Agent, data: bytes, address: str | None = None, channel: str = "room") -> Any:
    address = sha256(data).hexdigest() if address is None else address
    return await agent.wait(agent.backbone.put_artifact(channel, address, data))


async def _get(agent: Agent, address: str, channel: str = "room") -> Any:
    return await agent.wait(agent.backbone.get_artifact(channel, address))


async def bytes_come_back_as_they_were(kit: Kit) -> None:
    await kit.open_room()
    stored = await _put(kit.alice, DATA)
    same(stored, StoredArtifact(f"caucus://artifact/room/{ADDRESS}", ADDRESS, len(DATA), deduplicated=False))
    same(await _get(kit.bob, ADDRESS), DATA)


async def no_bytes_are_bytes_too(kit: Kit) -> None:
    await kit.open_room()
    same((await _put(kit.alice, b"")).size, 0)
    same(await _get(kit.bob, sha256(b"").hexdigest()), b"")


async def the_same_bytes_are_stored_once(kit: Kit) -> None:
    await kit.open_room(max_channel_artifact_bytes=len(DATA))
    await _put(kit.alice, DATA)
    same((await _put(kit.bob, DATA)).deduplicated, True)


async def a_channel_has_evidence_of_its_own(kit: Kit) -> None:
    await kit.open_room()
    await kit.bob.create("other")
    await _put(kit.alice, DATA)
    same(await _get(kit.bob, ADDRESS, "other"), None)


async def nothing_is_at_an_unused_or_malformed_address(kit: Kit) -> None:
    await kit.open_room()
    for address in ("0" * 64, "xyz", ADDRESS.upper(), "..", "a/b", ""):
        same(await _get(kit.bob, address), None)


async def the_address_must_be_that_of_the_bytes(kit: Kit) -> None:
    await kit.open_room()
    for address in ("0" * 64, ADDRESS.upper(), "xyz", ADDRESS + "\n", "..", ""):
        await refused(_put(kit.alice, DATA, address), errors.ArtifactIntegrity)
    same(await _get(kit.bob, ADDRESS), None)


async def one_artifact_is_capped(kit: Kit) -> None:
    await kit.open_room(max_artifact_bytes=10)
    await _put(kit.alice, b"x" * 10)
    error = await refused(_put(kit.alice, b"x" * 11, "malformed", "nowhere"), errors.ArtifactTooLarge)
    same((error.limit, error.scope), (10, "artifact"))


async def the_wider_stores_are_capped(kit: Kit) -> None:
    await kit.open_room(max_channel_artifact_bytes=10, max_total_artifact_bytes=15)
    await kit.bob.create("other")
    await _put(kit.alice, b"x" * 10)
    error = await refused(_put(kit.alice, b"y"), errors.ArtifactTooLarge)
    same((error.limit, error.scope), (10, "channel"))
    error = await refused(_put(kit.alice, b"z" * 6, channel="other"), errors.ArtifactTooLarge)
    same((error.limit, error.scope), (15, "backbone"))
    await _put(kit.alice, b"z" * 5, channel="other")


CASES = [
    bytes_come_back_as_they_were,
    no_bytes_are_bytes_too,
    the_same_bytes_are_stored_once,
    a_channel_has_evidence_of_its_own,
    nothing_is_at_an_unused_or_malformed_address,
    the_address_must_be_that_of_the_bytes,
    one_artifact_is_capped,
    the_wider_stores_are_capped,
]
