"""A backbone and a list of claims, to which the same is done: whether they agree, and what the log shows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis.stateful import RuleBasedStateMachine, invariant
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from caucus.core.backbone import Backbone
from caucus.errors import CaucusError
from caucus.limits import Limits
from caucus.model.records import Identity
from tests.claim_model import GRACE, MClaim, Model
from tests.journals import SlowJournal

CHANNELS = ["one", "two"]
AGENTS = [Identity("a1", "alice"), Identity("a2", "alice"), Identity("b", "bob"), Identity("c", "carol")]
LIMITS = Limits(max_posts_per_minute=10**6, restart_grace=GRACE)


class History(RuleBasedStateMachine):
    """Both, and what is true of them after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.clock, self.wall = Clock(), 1.7e9
        self.clock.advance(1000)
        self.journal = SlowJournal()
        self.backbone = self.begin()
        self.model = Model(self.clock.seconds())
        self.highest = 0
        for channel in CHANNELS:
            self.ask("create_channel", channel, created_by="alice")

    def begin(self) -> Backbone:
        wall = lambda: self.wall + self.clock.seconds()  # noqa: E731
        backbone = Backbone(self.journal, self.clock, LIMITS, wall, boot_id=b"b" * 16)
        backbone.replay()
        backbone.begin_run()
        self.journal.sync()
        return backbone

    def ask(self, operation: str, *args: Any, **given: Any) -> Any:
        """What an operation answers, or the refusal."""
        outcomes: list[Any] = []
        doing: Deferred[Any] = getattr(self.backbone, operation)(*args, **given)
        doing.addCallbacks(outcomes.append, lambda failure: outcomes.append(failure.value))
        self.journal.sync()
        (outcome,) = outcomes
        assert not isinstance(outcome, Exception) or isinstance(outcome, CaucusError), outcome
        return outcome

    def sign(self, agent: Identity) -> None:
        if self.model.lacks_sign(agent):
            self.model.heard[agent] = self.model.last_event = self.model.now

    def numbers(self) -> set[int]:
        return {claim.claim for channel in CHANNELS for claim in self.ask("list_claims", channel)}

    def settle(self, *heirs: Identity) -> None:
        """What follows in the model; which claims ended in circles, the backbone says."""
        self.model.follow()
        there = self.numbers()
        for heir in heirs:
            gone = {one.number for one in self.model.claims} - there
            self.model.break_circles(heir, gone)

    def picked(self, pick: int) -> MClaim | None:
        """One of the claims, mostly one with a lease."""
        leases = [one for one in self.model.claims if not one.is_plain or not pick % 7]
        claims = leases or self.model.claims
        return claims[pick % len(claims)] if claims else None

    @invariant()
    def the_lists_agree(self) -> None:
        model = self.model
        new = set[int]()
        for channel in CHANNELS:
            shown = self.ask("list_claims", channel)
            there = [one for one in model.claims if one.channel == channel]
            assert {one.claim for one in shown} == {one.number for one in there}
            states = [one.state for one in shown]
            assert states == sorted(states)  # the held ones first
            for one in shown:
                claim = model.find(one.claim)
                assert claim is not None
                if claim.fence < 0:
                    assert one.fence > self.highest
                    new.add(one.fence)
                    claim.fence = one.fence
                ends = model.ends(claim)
                expected = None if ends is None or not claim.is_held else ends - model.now
                assert one.expires_in == (None if expected is None else pytest.approx(expected, abs=1))
                assert (one.agent_id, one.owner, one.state, one.fence or 0) == (
                    claim.agent.agent_id,
                    claim.agent.owner,
                    "held" if claim.is_held else "waiting",
                    claim.fence,
                )
                assert one.ahead == (0 if claim.is_held else len(model.front(claim)))
                offered = None if one.offered_to is None else (one.offered_to.agent_id, one.offered_to.owner)
                assert offered == (None if claim.offer is None else claim.offer[:2])
            held = [one.fence for one in shown if one.state == "held"]
            assert held == sorted(held)
            waiting = [one.claim for one in shown if one.state == "waiting"]
            assert waiting == sorted(waiting)
        self.highest = max({self.highest, *new})

    @invariant()
    def nothing_is_kept_of_what_has_ended(self) -> None:
        leases = self.backbone._core.state.claims.leases
        assert set(leases._agents) == {one.agent for one in leases}
        assert set(leases._channels) == {one.channel for one in leases}
        assert sum(leases._waiting.values()) == sum(not one.is_held for one in leases)

    @invariant()
    def nothing_conflicts_and_nobody_waits_for_nothing_or_itself(self) -> None:
        claims = self.model.claims
        held = [one for one in claims if one.is_held]
        assert not any(one.conflicts(two) for one in held for two in held if one is not two)
        assert all(self.model.front(one) for one in claims if not one.is_held)
        assert not any(self.model.circles(agent) for agent in AGENTS)

    @invariant()
    def boards_of_the_original_show_the_same(self) -> None:
        """They fold messages of the type ``claim`` by their exact target."""
        for channel in CHANNELS:
            board: dict[str, tuple[str, float | None]] = {}
            for message in self.ask("read_since", channel, 0, 10_000).messages:
                if message.type == "claim" and message.target is not None:
                    board.pop(message.target, None)
                    if message.status != "resolved":
                        board[message.target] = (message.agent_id or "", message.lease_ttl)
            held = [one for one in self.model.claims if one.is_held and one.channel == channel]
            leased = {", ".join(one.targets) for one in held if not one.is_plain}
            plain = {one.targets[0] for one in held if one.is_plain}
            lasting = {target for target, (_, lease_ttl) in board.items() if lease_ttl is None}
            assert leased <= lasting <= leased | plain, (leased, lasting, plain)
            assert plain <= set(board)
            for target in leased:
                assert board[target][0] in {
                    one.agent.agent_id for one in held if ", ".join(one.targets) == target
                }
