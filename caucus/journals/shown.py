"""Events as people and programs outside are shown them: no digest in full, and no idempotency keys."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, assert_never

import msgspec
from msgspec.structs import asdict

from caucus.journals.tables import Row
from caucus.model.changes import named
from caucus.model.events import (
    Acked,
    Author,
    Change,
    ChannelCreated,
    ClaimsChanged,
    Event,
    EvidenceAdded,
    Lived,
    Moved,
    NewsTold,
    OwingBegan,
    Record,
    RunBegan,
    RunEnded,
    Seen,
    Stepped,
    TokensChanged,
)
from caucus.model.stamps import instant

DIGITS: Final = 12
"""So many hexadecimal digits are shown of a token's SHA-256, as in an audit line."""


def exported(row: Row) -> dict[str, Any]:
    """One event, as a line of an export."""
    event = row.event
    line: dict[str, Any] = {"position": row.position, "at": instant(event.when.wall)}
    if row.digest is not None:
        line["digest"] = row.digest.hex()
    return {**line, **_told(event, row.evidence)}


def _told(event: Event, evidence: bytes) -> dict[str, Any]:
    told: dict[str, Any]
    match event:
        case ChannelCreated(descriptor=one):
            names = ("channel", "purpose", "verbosity", "render_budget_chars", "created_by", "created_ts")
            told = {"event": "channel_created", **{name: getattr(one, name) for name in names}}
        case Stepped(said=said, moved=moved) | ClaimsChanged(said=said, moved=moved):
            messages = [{"channel": one.channel, "message": msgspec.Raw(one.message_json)} for one in said]
            told = {"event": "stepped", "said": messages, "moved": [_moved(one) for one in moved]}
            if isinstance(event, ClaimsChanged):
                told["changed"] = [_changed(one) for one in event.changed]
        case EvidenceAdded(channel=channel, sha256=sha256):
            told = {"event": "evidence_added", "channel": channel, "sha256": sha256, "data": evidence}
        case RunBegan(writer=writer, extended=extended):
            told = {"event": "run_began", "writer": writer, "extended": [_moved(one) for one in extended]}
        case RunEnded():
            told = {"event": "run_ended"}
        case Lived(agent=agent):
            told = {"event": "lived", **_agent(agent)}
        case TokensChanged():
            minted = None if event.minted is None else _token(*event.minted)
            revoked = [digest.hex()[:DIGITS] for digest in event.revoked]
            told = {"event": "tokens_changed", "minted": minted, "revoked": revoked}
        case _:
            told = _told_of_people(event)
    return told


def _told_of_people(event: Seen | Acked | OwingBegan | NewsTold) -> dict[str, Any]:
    """Who was there, and what became of what was said."""
    match event:
        case Seen(agents=agents, shown=shown):
            seen = [{**_agent(one.agent), "seconds": one.seconds, "channels": one.channels} for one in agents]
            return {"event": "seen", "agents": seen, "shown": [asdict(one) for one in shown]}
        case Acked(channel=channel, cursor=cursor, agent=agent):
            return {"event": "acked", "channel": channel, "cursor": cursor, **_agent(agent)}
        case OwingBegan():
            return {"event": "owing_began"}
        case NewsTold(session=session, place=place):
            return {"event": "news_told", "session": session.hex()[:DIGITS], "place": place}
        case _:
            assert_never(event)


def _agent(agent: Author) -> dict[str, str]:
    return {"agent_id": agent.agent_id, "owner": agent.owner}


def _changed(one: Change) -> dict[str, Any]:
    return {"change": named(one), **msgspec.to_builtins(_named(one))}


def _named(value: object) -> object:
    """A record's fields by their names, and those of records in it."""
    if not isinstance(value, Record):
        return value
    return {name: _named(getattr(value, name)) for name in value.__struct_fields__}


def _moved(one: Moved) -> dict[str, Any]:
    holder = None
    if one.grant is not None:
        by = one.grant.holder
        holder = {"agent_id": by.agent_id, "owner": by.owner, "lease_ttl": one.grant.lease_ttl}
    line = {"channel": one.channel, "target": one.target, "manner": one.manner, "holder": holder}
    return {**line, "seconds": one.seconds} if one.manner == "extended" else line


def audited(events: Iterable[Event]) -> Iterator[dict[str, Any]]:
    """What became of minted tokens, a line for each that was minted, and for each that went without another.

    It is as in the lines that a daemon writes while it does so. A rotation names those that it replaced;
    one that replaced none is a mint.
    """
    known: dict[bytes, Author] = {}
    for event in events:
        if not isinstance(event, TokensChanged):
            continue
        gone = [_token(digest, known.pop(digest, None)) for digest in event.revoked]
        line: dict[str, Any] = {"kind": "caucus.admin.audit", "ts": instant(event.when.wall)}
        if event.minted is None:
            yield from ({**line, "op": "revoke", **token, "result": "revoked"} for token in gone)
        else:
            known[event.minted[0]] = event.minted[1]
            replaced = (
                {"op": "rotate", "replaced": [one["digest"] for one in gone]} if gone else {"op": "mint"}
            )
            yield {**line, **replaced, **_token(*event.minted), "result": "ok"}


def _token(digest: bytes, author: Author | None) -> dict[str, str]:
    named = {} if author is None else {"agent_id": author.agent_id, "owner": author.owner}
    return {"digest": digest.hex()[:DIGITS], **named}
