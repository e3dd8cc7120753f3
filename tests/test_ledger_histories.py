"""Random histories of claims, over a clock that steps both ways, against a small model."""

from __future__ import annotations

from typing import Any

from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from caucus.core.backbone import Backbone
from caucus.journals.memory import MemoryJournal
from caucus.limits import Limits
from caucus.model.messages import Message
from caucus.model.records import Identity

OWNERS = st.sampled_from(["alice", "bob", "carol"])
TARGETS = st.sampled_from(["t", "u"])
LEASES = st.sampled_from([None, 1, 10, 60])


class Model:
    """Who holds what: docs/protocol.md, Claims, as a table of (owner, granted, lease)."""

    def __init__(self) -> None:
        self.held: dict[str, tuple[str, float, int | None]] = {}

    def holder(self, target: str, now: float) -> str | None:
        owner, granted, lease = self.held.get(target, (None, 0.0, None))
        if lease is not None and now >= granted + lease:
            del self.held[target]
            return None
        return owner

    def act(self, kind: str, target: str, owner: str, now: float, lease: int | None, to: str) -> str:
        holder = self.holder(target, now)
        if kind == "done" and holder is None:
            return "not_held"
        if holder is not None and (holder != owner or kind == "claim"):
            return holder
        self.held[target] = (to, now, lease)
        if kind == "done":
            del self.held[target]
        return "granted"


class LedgerHistory(RuleBasedStateMachine):
    """Does the same to a backbone and to the model, and compares what they say."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.clock.advance(1000)
        limits = Limits(max_posts_per_minute=10**6)
        self.backbone = Backbone(MemoryJournal(), self.clock, limits)
        self.model = Model()
        self.granted = 0
        result_of(self.backbone.create_channel("room"))

    def act(self, kind: str, target: str, owner: str, lease: int | None, to: str | None = None) -> None:
        message = Message(
            "claim", "x", target=target, agent_id=f"{owner}-agent", owner=owner, lease_ttl=lease,
            heartbeat=kind == "heartbeat",
        )  # fmt: skip
        if kind == "done":
            result = result_of(self.backbone.mark_claim_done("room", message))
        elif kind == "reassign":
            assignee = Identity(f"{to}-agent", str(to))
            result = result_of(self.backbone.reassign_claim("room", message, assignee))
        else:
            result = result_of(self.backbone.claim("room", message))
        expected = self.model.act(kind, target, owner, self.clock.seconds(), lease, to or owner)
        got = result.by.owner if result.outcome == "already_claimed" else result.outcome
        assert got == expected
        self.granted += got == "granted"

    @rule(on=TARGETS, owner=OWNERS, lease=LEASES, kind=st.sampled_from(["claim", "heartbeat", "done"]))
    def operate(self, on: str, owner: str, lease: int | None, kind: str) -> None:
        self.act(kind, on, owner, lease)

    @rule(on=TARGETS, owner=OWNERS, lease=LEASES, to=OWNERS)
    def reassign(self, on: str, owner: str, lease: int | None, to: str) -> None:
        self.act("reassign", on, owner, lease, to)

    @rule(seconds=st.sampled_from([0.5, 1, 9.5, 10, 60, -1, -10, -500]))
    def step(self, seconds: float) -> None:
        self.clock.advance(seconds)
        for target in list(self.model.held):  # what has ended has lapsed, wherever the clock goes then
            self.model.holder(target, self.clock.seconds())

    @invariant()
    def the_log_holds_what_was_granted(self) -> None:
        assert result_of(self.backbone.subscribe("room")) == self.granted


def result_of(operation: Deferred[Any]) -> Any:
    """The result of an operation that has one already."""
    results: list[Any] = []
    operation.addCallback(results.append)
    return results[0]


LedgerHistory.TestCase.settings = settings(max_examples=1000, stateful_step_count=20)
TestLedgerHistory = LedgerHistory.TestCase
