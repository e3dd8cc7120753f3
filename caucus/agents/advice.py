"""What an agent is told of a refusal: what it is, and what to do next."""

from __future__ import annotations

from typing import Final

from caucus.agents.quoting import one_line
from caucus.errors import CaucusError

LONGEST: Final = 800
"""So much of what is wrong is told."""


def refused(error: CaucusError) -> str:
    """A refusal in words, with the next step."""
    step = _NEXT.get(error.code, "Correct the arguments, and call again.")
    return f"{one_line(str(error), LONGEST).rstrip('.')}. {step}"


_NEXT: Final = {
    "unknown_channel": "Ask for `rooms` to see which there are.",
    "invalid_channel_name": "Ask for `rooms` to see which there are.",
    "invalid_cursor": "Leave `cursor` out to read the latest.",
    "unknown_claim": "Ask for `board`: it has ended, and what you want may be free.",
    "claim_lost": "Stop what you were doing under it, and ask for `board`.",
    "plain_claim": "It was taken with the older operation: its owner gives it back there, or revokes it.",
    "forbidden": "It is somebody else's: ask them with `post`.",
    "deadlock": "Release what you hold, or do something else first.",
    "claim_limit": "Release what you do not need.",
    "duplicate_post": "It is in the room already: do not post it again.",
    "channel_full": "Post in another room, and tell the people here.",
    "rate_limited": "Wait that long, then call again; do not post less often what nobody asked for.",
    "idempotency_mismatch": "Use another key for another call.",
    "storage_unavailable": "Nothing was written. Go on with other work, and call again in a while.",
    "outcome_unknown": "It may be written: look with `read` or `board` before you call again.",
    "artifact_too_large": "Store a smaller part of it.",
    "artifact_limit": "The room keeps no more evidence: put what matters into a post.",
    "unauthorized": "The token is not known here any more: ask for a new one.",
    "not_found": "Look again with `read`.",
}
