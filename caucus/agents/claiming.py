"""The tools by which an agent takes what it works on, and gives it back."""

from __future__ import annotations

from caucus.agents import wording
from caucus.agents.hand import Hand
from caucus.agents.quoting import fit, in_line
from caucus.agents.takes import Board, Release, TakeClaim
from caucus.errors import InvalidRequest, UnknownClaim
from caucus.interfaces import IClaims, IFeed
from caucus.model.claims import Claim, Conflicting
from caucus.model.messages import new_msg_id


async def claim(hand: Hand, given: TakeClaim) -> str:
    name = await hand.place(given)
    if given.accept is not None:
        note = fit(given.note) or None
        accepted: Claim = await hand.write("accept_claim", name, given.accept, hand.desk.by, note=note)
        return f"granted: {_held(accepted)}"
    if not given.targets or not given.note.strip():
        raise InvalidRequest("`targets` and `note` are needed: what you take, and what you do there.")
    wanted = {
        "targets": given.targets,
        "note": fit(given.note),
        "wait": given.wait,
        "takeover": given.takeover,
        "mode": given.mode,
        "lease_ttl": given.lease_ttl,
        "msg_id": new_msg_id(),
    }
    result = await hand.write("take_claim", name, wanted, hand.desk.by)
    if isinstance(result, Conflicting):
        return wording.lost(result.conflicts)
    taken: Claim = result.claim
    if hand.is_known and await _now(hand, name, taken) is None:
        return (
            f"#{taken.claim} was yours, and has ended since. Ask for `board`, and claim anew if it is free."
        )
    if taken.state == "held":
        return f"{'already yours' if result.outcome == 'already_yours' else 'granted'}: {_held(taken)}"
    said = "already in line" if result.outcome == "already_yours" else "queued"
    front = await IClaims(hand.desk.backbone).list_claims(name, targets=taken.targets)
    ahead = next((one for one in front if one.claim != taken.claim), None)
    holder = "" if ahead is None else f"; {wording.holding(ahead)}"
    since = (await IFeed(hand.desk.backbone).read_feed([name])).since
    now = await _now(hand, name, taken)
    if now is not None and now.state == "held":
        return f"granted: {_held(now)}"
    told = f"{said}: #{taken.claim}, {taken.ahead} ahead{holder}."
    return f"{told} `wait` with since={since} tells you when it is yours."


async def _now(hand: Hand, room: str, claim: Claim) -> Claim | None:
    """A claim of the agent's as it is by now, if it is there and still its own."""
    try:
        now: Claim = await IClaims(hand.desk.backbone).get_claim(room, claim.claim)
    except UnknownClaim:
        return None
    return now if (now.agent_id, now.owner) == (claim.agent_id, claim.owner) else None


async def release(hand: Hand, given: Release) -> str:
    name = await hand.place(given)
    note = None if given.note is None else fit(given.note)
    if given.to:
        owner, _, agent_id = given.to.partition("/")
        to = {"owner": owner, "agent_id": agent_id or None}
        await hand.write("offer_claim", name, given.claim, hand.desk.by, **to, note=note)
        return (
            f"Offered #{given.claim} to {in_line(given.to)}: you hold it until they accept. `board` shows it."
        )
    await hand.write("release_claim", name, given.claim, hand.desk.by, note=note, done=given.done)
    return f"Released #{given.claim}, {'done' if given.done else 'not done'}."


async def board(hand: Hand, given: Board) -> str:
    name = await hand.place(given)
    return f"Room {name}:\n{await hand.desk.board(name)}"


def _held(claim: Claim) -> str:
    lease = f"{wording.seconds(claim.lease_ttl or 0)} after your last call it lapses"
    return f"#{claim.claim} on {wording.targets(claim)}, fence {claim.fence}. Release it when done; {lease}."
