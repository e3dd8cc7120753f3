"""An event of every shape: what journals are held to keep."""

from __future__ import annotations

from caucus.model.events import (
    Acked,
    Author,
    ChannelCreated,
    ChannelFields,
    ClaimEnded,
    ClaimExtended,
    ClaimGranted,
    ClaimOffered,
    ClaimOpened,
    ClaimPassed,
    ClaimRenewed,
    ClaimsChanged,
    Event,
    EvidenceAdded,
    Grant,
    Holding,
    Instant,
    Lived,
    Moved,
    NewsTold,
    OfferEnded,
    OwingBegan,
    RequestKey,
    RunBegan,
    RunEnded,
    Said,
    Seen,
    SeenAgent,
    Shown,
    Stepped,
    Terms,
    TokensChanged,
)

ROOM = ChannelFields(channel="room", created_ts="2026-01-01T00:00:00.000Z#000000000001")
WHEN = Instant(1_767_225_600.001, 12.5, bytes(range(16)))
GRANT = Grant(Holding("alice-agent", "alice", "ts", "id"), 60)
BOBS = Author("bob-agent", "bob")
TERMS = Terms(
    ("src/", "t"), "note", "id", "ts", 900, is_shared=True, is_explicit=True, thread="th", artifact="a"
)
DATA = b"\x00\xff"
EVENTS: tuple[Event, ...] = (
    ChannelCreated(WHEN, ROOM),
    Stepped(
        WHEN,
        (Said("room", b'{"body":"one"}', "alice-agent", 1),),
        (),
        RequestKey(b"scope", b"key", b"fingerprint"),
    ),
    Stepped(
        WHEN,
        (Said("room", b'{"body":"mine"}', "alice-agent"), Said("room", b'{"body":"told"}')),
        (
            Moved("room", "t", GRANT, "granted"),
            Moved("room", "u", None, "lapsed"),
            Moved("room", "v", GRANT, "extended", 30),
        ),
    ),
    EvidenceAdded(WHEN, "room", "0" * 64, len(DATA)),
    Stepped(Instant(0.0, 0.0)),
    RunEnded(WHEN),
    TokensChanged(WHEN, (b"\x01" * 32, Author("dave-agent", "dave")), (b"\x02" * 32,)),
    RunBegan(WHEN, "host:1", (Moved("room", "v", GRANT, "extended", 30),)),
    Stepped(WHEN, (Said("room", b'{"body":"gone"}'),), (Moved("room", "t", None, "revoked"),)),
    ClaimsChanged(
        WHEN,
        (Said("room", b'{"body":"freed"}', "alice-agent"), Said("room", b'{"body":"next"}')),
        (Moved("room", "t", None, "taken_over"),),
        (
            ClaimOpened(7, "room", BOBS, TERMS),
            ClaimGranted(7, "room", 8, "ts", 2, 60),
            ClaimPassed(7, "room", Author("dave-agent", "dave"), 9, "note", "id", "ts", 3),
            ClaimEnded(7, "room", "released"),
            ClaimOpened(8, "room", BOBS, TERMS, 8, 3),
        ),
        RequestKey(b"scope", b"key", b"fingerprint"),
    ),
    ClaimsChanged(
        WHEN,
        changed=(
            ClaimRenewed(7, "room", 600),
            ClaimOffered(7, "room", "", "dave", 600, "id"),
            OfferEnded(7, "room", is_declined=True),
            ClaimExtended(7, "room", 30),
        ),
    ),
    Lived(WHEN, BOBS),
    Seen(WHEN, (SeenAgent(BOBS, 7, ("room",)),), (Shown("bob", "room", 1),)),
    Acked(WHEN, "room", 1, BOBS, RequestKey(b"scope", b"key", b"fingerprint")),
    OwingBegan(WHEN),
    NewsTold(WHEN, b"0123456789abcdef", 7 << 20),
)


def evidence_of(event: Event) -> bytes:
    """What is recorded beside an event of these."""
    return DATA if isinstance(event, EvidenceAdded) else b""
