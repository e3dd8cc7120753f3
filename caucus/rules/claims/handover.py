"""A claim that is offered: to whom, and until when. Pure: time comes in."""

from __future__ import annotations

from caucus.model.events import Author, ClaimOffered, Record


class Offer(Record, frozen=True):
    """To whom a claim is offered: an agent, or any of an owner if ``agent_id`` is empty; and until when.

    ``msg_id`` is of the message that says so.
    """

    agent_id: str
    owner: str
    ends: float
    msg_id: str

    def is_for(self, agent: Author) -> bool:
        """Whether an agent may answer it."""
        return agent.owner == self.owner and self.agent_id in ("", agent.agent_id)


def offered(change: ClaimOffered, at: float) -> Offer:
    """What an offer makes of a claim from ``at`` on."""
    return Offer(change.agent_id, change.owner, at + change.seconds, change.msg_id)
