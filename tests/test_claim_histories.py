"""Random histories of what becomes of claims, over restarts and clocks that step, against a list of them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from caucus.errors import Deadlock, Forbidden, PlainClaim
from caucus.model.claims import Conflicting, Taken
from caucus.model.messages import Message
from caucus.model.records import Identity
from tests.claim_history import AGENTS, CHANNELS, History
from tests.claim_model import OFFER, MClaim
from tests.journals import SlowJournal

LEASES = ["a", "a/", "a/x", "a/x/", "a/y", "b", "b/**", "**", "c"]
PLAIN = ["a", "a/x", "b", "c"]
channels, agents = st.sampled_from(CHANNELS), st.sampled_from(AGENTS)
picks = st.integers(0, 30)


class ClaimHistory(History):
    """Does the same to a backbone and to the model, and compares what they say."""

    @rule(
        agent=agents,
        channel=channels,
        on=st.lists(st.sampled_from(LEASES), min_size=1, max_size=2),
        lease_ttl=st.sampled_from([10, 60, 900, 900]),
        shared=st.sampled_from([False, False, True]),
        wait=st.sampled_from([True, True, False]),
        takeover=st.sampled_from([False, False, False, True]),
        explicit=st.sampled_from([False, False, True]),
    )
    def take(
        self,
        agent: Identity,
        channel: str,
        on: list[str],
        lease_ttl: int,
        shared: bool,
        wait: bool,
        takeover: bool,
        explicit: bool,
    ) -> None:
        wanted = {
            "targets": on,
            "note": "mine",
            "lease_ttl": lease_ttl,
            "mode": "shared" if shared else "exclusive",
            "renewal": "explicit" if explicit else "activity",
            "wait": wait,
            "takeover": takeover,
        }
        answer = self.ask("take_claim", channel, wanted, agent)
        self.sign(agent)
        model = self.model
        asked = MClaim(
            2**62, channel, agent, tuple(on), is_shared=shared, is_explicit=explicit,
            since=model.now, floor=model.now, lease_ttl=lease_ttl,
        )  # fmt: skip
        same = [
            one
            for one in model.claims
            if not one.is_plain
            and (one.channel, one.agent, one.is_shared) == (channel, agent, shared)
            and {_key(target) for target in one.targets} == {_key(target) for target in on}
        ]
        front = model.front(asked)
        victims = model.victims(asked) if takeover else []
        if same and (same[0].is_held or not victims):
            assert (answer.outcome, answer.claim.claim) == ("already_yours", same[0].number)
            return
        if front and not victims:
            if not wait:
                assert isinstance(answer, Conflicting)
                assert {one.claim for one in answer.conflicts} == {one.number for one in front}
                return
            if model.waits_for_itself(asked):
                self.check_cycle(answer, asked)
                return
        assert isinstance(answer, Taken), answer
        claim = answer.claim
        assert claim.claim > self.highest
        self.highest = claim.claim
        asked.number = claim.claim
        for victim in victims:
            model.remove(victim)
        if front and not victims:
            assert (answer.outcome, claim.ahead) == ("queued", len(front))
            model.add(asked)
            return
        assert answer.outcome == "granted"
        asked.is_held, asked.fence = True, claim.claim
        model.add(asked)
        self.settle(*([agent] if victims else []))

    def check_cycle(self, refusal: Any, asked: MClaim) -> None:
        assert isinstance(refusal, Deadlock)
        before = asked
        for number in refusal.cycle:
            claim = self.model.find(number)
            assert claim is not None
            assert claim.agent == before.agent or claim in self.model.front(before)
            before = claim
        assert before.agent == asked.agent

    @rule(
        pick=picks,
        other=agents,
        by_holder=st.sampled_from([True, True, False]),
        lease_ttl=st.sampled_from([None, 20]),
    )
    def renew(self, pick: int, other: Identity, by_holder: bool, lease_ttl: int | None) -> None:
        claim = self.picked(pick)
        if claim is None:
            return
        agent = claim.agent if by_holder else other
        answer = self.ask("renew_claim", claim.channel, claim.number, agent, lease_ttl=lease_ttl)
        self.sign(agent)
        if not self.is_refused(claim, agent, answer):
            claim.since, claim.lease_ttl = self.model.now, lease_ttl or claim.lease_ttl
            self.model.last_event = self.model.now

    @rule(pick=picks, other=agents, by_holder=st.sampled_from([True, True, True, False]))
    def release(self, pick: int, other: Identity, by_holder: bool) -> None:
        claim = self.picked(pick)
        if claim is None:
            return
        agent = claim.agent if by_holder else other
        answer = self.ask("release_claim", claim.channel, claim.number, agent)
        self.sign(agent)
        if not self.is_refused(claim, agent, answer):
            self.model.remove(claim)
            self.settle()

    def is_refused(self, claim: MClaim, agent: Identity, answer: object) -> bool:
        """Whether an operation of the holder's is refused, by the rules; then it was so."""
        if claim.is_plain:
            assert isinstance(answer, PlainClaim)
        elif claim.agent != agent:
            assert isinstance(answer, Forbidden)
        else:
            assert not isinstance(answer, Exception), answer
            return False
        return True

    @rule(pick=picks, to=agents, to_all=st.booleans(), seconds=st.sampled_from([None, 5]))
    def offer(self, pick: int, to: Identity, to_all: bool, seconds: int | None) -> None:
        claim = self.picked(pick)
        if claim is None:
            return
        agent_id = None if to_all else to.agent_id
        to_whom = {"owner": to.owner, "agent_id": agent_id, "expires_in": seconds}
        answer = self.ask("offer_claim", claim.channel, claim.number, claim.agent, **to_whom)
        self.sign(claim.agent)
        if not claim.is_plain and not claim.is_held:
            assert isinstance(answer, Forbidden)
        elif not self.is_refused(claim, claim.agent, answer):
            claim.offer = (agent_id, to.owner, self.model.now + (seconds or OFFER))
            self.model.last_event = self.model.now

    @rule(pick=picks, agent=agents, accepts=st.sampled_from([True, True, False]))
    def answer(self, pick: int, agent: Identity, accepts: bool) -> None:
        offered = [one for one in self.model.claims if one.offer is not None]
        claim = offered[pick % len(offered)] if offered else self.picked(pick)
        if claim is None:
            return
        if claim.offer is not None and pick % 3:  # mostly somebody who may
            agent = next(one for one in AGENTS if one.owner == claim.offer[1])
        answer = self.ask("accept_claim" if accepts else "decline_claim", claim.channel, claim.number, agent)
        self.sign(agent)
        model, offer = self.model, claim.offer
        if claim.is_plain:
            assert isinstance(answer, PlainClaim)
        elif offer is None or offer[1] != agent.owner or offer[0] not in (None, agent.agent_id):
            assert isinstance(answer, Forbidden)
        elif not accepts:
            claim.offer, model.last_event = None, model.now
        else:
            assert answer.fence > claim.fence
            claim.agent, claim.since, claim.floor, claim.offer = agent, model.now, model.now, None
            claim.fence, claim.extended = -1, None
            model.heard.setdefault(agent, model.now)
            model.forget_agents()
            model.last_event = model.now
            self.settle(agent)

    @rule(pick=picks, agent=agents)
    def revoke(self, pick: int, agent: Identity) -> None:
        claim = self.picked(pick)
        if claim is None:
            return
        answer = self.ask("revoke_claim", claim.channel, claim.number, "because", agent)
        self.sign(agent)
        if agent.owner not in (claim.agent.owner, "alice"):  # who made the channels
            assert isinstance(answer, Forbidden)
        else:
            assert answer.released
            self.model.remove(claim)
            self.settle()

    @rule(
        kind=st.sampled_from(["claim", "heartbeat", "done", "reassign"]),
        agent=agents,
        to=agents,
        channel=channels,
        on=st.sampled_from(PLAIN),
        lease_ttl=st.sampled_from([None, 20, 300]),
    )
    def operate_plainly(
        self, kind: str, agent: Identity, to: Identity, channel: str, on: str, lease_ttl: int | None
    ) -> None:
        message = Message(
            "claim", kind, target=on, agent_id=agent.agent_id, owner=agent.owner, lease_ttl=lease_ttl,
            heartbeat=kind == "heartbeat",
        )  # fmt: skip
        if kind == "done":
            answer = self.ask("mark_claim_done", channel, message)
        elif kind == "reassign":
            answer = self.ask("reassign_claim", channel, message, to)
        else:
            answer = self.ask("claim", channel, message)
        model = self.model
        held = model.plain(channel, on)
        lease = None if held is not None else model.lease_on(channel, on)
        if held is not None and (held.agent.owner != agent.owner or kind == "claim"):
            assert answer.by.owner == held.agent.owner
        elif lease is not None:
            assert (answer.outcome, answer.by.agent_id) == ("already_claimed", lease.agent.agent_id)
        elif held is None and kind == "done":
            assert answer.outcome == "not_held"
        else:
            assert answer.outcome == "granted"
            heir = {"done": None, "reassign": to}.get(kind, agent)
            self.do_plainly(held, channel, on, heir, lease_ttl)

    def do_plainly(
        self, held: MClaim | None, channel: str, target: str, to: Identity | None, lease_ttl: int | None
    ) -> None:
        model = self.model
        model.last_event = model.now
        if to is None:
            assert held is not None
            model.remove(held)
            self.settle()
            return
        ends = None if lease_ttl is None else model.now + lease_ttl
        (shown,) = [
            one
            for one in self.ask("list_claims", channel, targets=[target])
            if one.kind == "plain" and one.targets == (target,)
        ]
        if held is None:
            model.add(
                MClaim(
                    shown.claim,
                    channel,
                    to,
                    (target,),
                    is_plain=True,
                    is_held=True,
                    fence=-1,
                    ends_plainly=ends,
                )
            )
            return
        is_another = held.agent != to
        held.agent, held.ends_plainly, held.extended, held.fence = to, ends, None, -1
        self.settle(*([to] if is_another else []))

    @rule(agent=agents)
    def be_heard_of(self, agent: Identity) -> None:
        self.backbone.heard_of(agent)
        self.journal.sync()
        self.sign(agent)

    @rule(seconds=st.sampled_from([1, 3, 9, 30, 100, 700]))
    def let_time_pass(self, seconds: int) -> None:
        self.clock.advance(seconds)
        self.journal.sync()
        self.model.now = self.clock.seconds()
        self.model.carry_out()

    @rule(seconds=st.sampled_from([-3600.0, -1.0, 0.5, 3600.0]))
    def step_the_wall_clock(self, seconds: float) -> None:
        self.wall += seconds

    @rule(is_clean=st.booleans(), seconds=st.sampled_from([0, 5, 50, 1000]))
    def restart(self, is_clean: bool, seconds: int) -> None:
        if is_clean:
            self.ask("end_run")
            self.model.last_event = self.model.now
        else:
            self.backbone._core.alarm.stop()
            self.backbone._attendance.stop()
        self.journal = SlowJournal(self.journal.events)
        self.clock.advance(seconds)
        self.model.now = self.clock.seconds()
        self.backbone = self.begin()
        self.model.restart()
        self.model.carry_out()


def _key(target: str) -> str:
    return target.removesuffix("**") if target.endswith("/**") else target


def test_claims_are_as_a_list_of_them_says(request: pytest.FixtureRequest) -> None:
    histories = request.config.getoption("--histories")
    run_state_machine_as_test(
        ClaimHistory,
        settings=settings(
            max_examples=histories,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
