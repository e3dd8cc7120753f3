"""Hooks of harnesses at the edge: what an agent is told of, when, and in which harness's words."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from caucus.agents.dialects import DIALECTS
from caucus.agents.hooks import BUDGET, EVERY, SECONDS
from caucus.core.backbone import Backbone
from caucus.journals.memory import MemoryJournal
from tests.agents import CWD, begin, call, hook, number_of, told
from tests.raw import Edge, make_edge
from tests.test_quoting import HOSTILE


@pytest.fixture
def edge() -> Edge:
    opened = make_edge(max_posts_per_minute=1000, global_max_posts_per_minute=1000)
    opened.make_room()
    return opened


def begun(edge: Edge, **how: Any) -> str:
    return told(hook(edge, "SessionStart", source="startup", **how))


# The start of a session


def test_a_session_begins_with_who_holds_what_and_what_is_asked_of_the_agent(edge: Edge) -> None:
    call(edge, "claim", targets=["src/auth/"], note="session check")
    call(edge, "post", body="Please look at shard 3", to=["alice"])
    text = begun(edge)
    assert '"src/auth/": bob/bob-agent' in text
    assert "| Please look at shard 3" in text
    assert len(text) <= BUDGET


@pytest.mark.parametrize("dialect", DIALECTS)
def test_each_harness_is_answered_in_its_own_words(edge: Edge, dialect: str) -> None:
    start = next(event for event, kind in DIALECTS[dialect].events.items() if kind == "start")
    answer = hook(edge, start, dialect)
    text = told(answer)
    assert "You are alice/alice-agent" in text
    inner = {"hookEventName": start, "additionalContext": text}
    is_flat = dialect in ("copilot", "opencode", "pi")
    assert answer == ({"additionalContext": text} if is_flat else {"hookSpecificOutput": inner})


def test_a_room_that_is_not_there_is_told_at_the_start_and_never_after(edge: Edge) -> None:
    assert "`rooms`" in begun(edge, query="?room=nowhere")
    assert hook(edge, "UserPromptSubmit", query="?room=nowhere") == {}


@pytest.mark.parametrize("text", [one for one in HOSTILE if "\x1b" not in one])
@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_others_wrote_stays_in_lines_that_are_marked(edge: Edge, dialect: str, text: str) -> None:
    events = {kind: event for event, kind in DIALECTS[dialect].events.items()}
    for kind in ("start", "turn"):
        call(edge, "post", body=f"{kind} {text[:15_000]}")
        lines = told(hook(edge, events[kind], dialect)).split("\n")
        assert any(line.startswith(f"| {kind} ") for line in lines)
        ours = "Lines that|Room |Claims:|Nobody |No new|New posts:|News in |$"
        head = r"\[[12]\] \d\d:\d\d finding by bob/bob-agent id \w+:$"
        left_out = r"\(\d+ characters more: read with cursor="
        for line in lines:
            assert re.match(rf"\| |\|$|{head}|{left_out}|{ours}", line), line


# News


def test_a_turn_brings_what_others_have_posted_since_and_only_once(edge: Edge) -> None:
    begun(edge)
    call(edge, "post", body="the pool is full")
    call(edge, "post", "tok-alice", body="I am on it")
    text = told(hook(edge, "UserPromptSubmit", prompt="go on"))
    assert "| the pool is full" in text
    assert "| I am on it" not in text
    assert hook(edge, "UserPromptSubmit") == {}


def test_news_after_a_tool_come_at_most_every_few_seconds_and_none_is_lost(edge: Edge) -> None:
    begun(edge)
    call(edge, "post", body="one")
    assert "| one" in told(hook(edge, "PostToolUse", tool_name="Bash"))
    call(edge, "post", body="two")
    assert hook(edge, "PostToolUse", tool_name="Bash") == {}
    edge.clock.advance(EVERY)
    assert "| two" in told(hook(edge, "PostToolUse", tool_name="Bash"))


def test_two_sessions_of_one_token_are_told_each_for_itself(edge: Edge) -> None:
    begun(edge)
    begun(edge, session="s2")
    call(edge, "post", body="news")
    for session in ("s1", "s2"):
        assert "| news" in told(hook(edge, "UserPromptSubmit", session=session))


def test_a_session_that_is_resumed_is_told_what_it_has_missed(edge: Edge) -> None:
    begun(edge)
    call(edge, "post", body="meanwhile")
    assert "| meanwhile" in told(hook(edge, "SessionStart", source="resume"))


def test_a_session_of_which_nothing_is_known_is_told_all_at_its_next_turn(edge: Edge) -> None:
    assert "You are alice/alice-agent" in told(hook(edge, "UserPromptSubmit"))


def test_of_many_news_the_newest_are_told_and_the_others_counted(edge: Edge) -> None:
    begun(edge)
    for number in range(30):
        call(edge, "post", body=f"post {number} " + "x" * 300)
    text = told(hook(edge, "UserPromptSubmit"))
    assert "| post 29 " in text
    assert "earlier left out: read " in text
    assert len(text) <= BUDGET


@pytest.mark.parametrize("how", ["closed", "lost"])
def test_whoever_has_given_up_was_told_nothing(edge: Edge, how: str) -> None:
    begun(edge)
    call(edge, "post", body="news", to=["alice"])
    peer = begin(edge, "/hooks/claude/UserPromptSubmit", {"session_id": "s1", "cwd": CWD})
    if how == "closed":
        peer.channel.readConnectionLost()
    peer.lose()
    edge.clock.advance(0)
    assert edge.ask("GET", "/channels/room/messages/1").json["receipts"][0]["state"] == "sent"
    assert "| news" in told(hook(edge, "UserPromptSubmit"))
    assert edge.ask("GET", "/channels/room/messages/1").json["receipts"][0]["state"] == "served"


def test_a_claim_that_waited_is_told_of_once_it_is_the_agents(edge: Edge) -> None:
    begun(edge)
    _, granted = call(edge, "claim", targets=["db"], note="first")
    _, queued = call(edge, "claim", "tok-alice", targets=["db"], note="then me", wait=True)
    hook(edge, "UserPromptSubmit")
    call(edge, "release", claim=number_of(granted))
    assert f"#{number_of(queued)} is yours now." in told(hook(edge, "UserPromptSubmit"))


def test_what_an_agent_has_claimed_itself_is_no_news(edge: Edge) -> None:
    begun(edge)
    call(edge, "claim", "tok-alice", targets=["db"], note="x")
    assert hook(edge, "UserPromptSubmit") == {}


def test_much_of_its_own_hides_nothing_of_others(edge: Edge) -> None:
    begun(edge)
    call(edge, "post", body="IMPORTANT")
    for number in range(1001):
        call(edge, "post", "tok-alice", body=f"mine {number}")
    assert "Read from cursor=0 for the rest" in told(hook(edge, "UserPromptSubmit"))


# The end


def test_whoever_stops_is_reminded_of_what_it_holds_where_that_is_wanted(edge: Edge) -> None:
    call(edge, "claim", "tok-alice", targets=["db"], note="x")
    assert hook(edge, "Stop") == {}
    answer = hook(edge, "Stop", query="?remind=1")
    assert answer["decision"] == "block"
    assert '"db"' in answer["reason"]
    for again in (True, "true"):
        assert hook(edge, "Stop", query="?remind=1", stop_hook_active=again) == {}
    assert hook(edge, "Stop", query="?remind=1", token="tok-bob") == {}


# What is wrong, or late


@pytest.mark.parametrize("body", [b"{", b"", b"\xff"])
def test_what_is_no_json_is_refused(edge: Edge, body: bytes) -> None:
    assert edge.ask("POST", "/hooks/claude/Stop", body, "tok-alice").code == "invalid_request"


@pytest.mark.parametrize("payload", [[], 7, None, {"session_id": 7, "cwd": [], "tool_input": "x"}])
def test_what_no_harness_sends_is_taken_as_nothing(edge: Edge, payload: object) -> None:
    peer = begin(edge, "/hooks/claude/PreToolUse?guard=deny", payload)
    edge.clock.advance(0)
    (answer,) = peer.answers()
    assert (answer.status, answer.json) == (200, {})


@pytest.mark.parametrize("target", ["/hooks/nobody/Stop", "/hooks/claude"])
def test_a_harness_that_is_not_known_is_not_found(edge: Edge, target: str) -> None:
    assert edge.ask("POST", target, {}, "tok-alice").code == "not_found"


def test_an_event_that_nothing_is_said_to_is_answered_with_nothing(edge: Edge) -> None:
    assert hook(edge, "Notification") == {}


def test_a_guard_that_is_none_is_refused(edge: Edge) -> None:
    assert edge.ask("POST", "/hooks/claude/Stop?guard=maybe", {}, "tok-alice").code == "invalid_request"


def test_nobody_is_told_anything_without_a_token(edge: Edge) -> None:
    assert edge.ask("POST", "/hooks/claude/SessionStart", {}).status == 401


def test_an_answer_that_is_late_is_none() -> None:
    class Hanging(Backbone):
        def list_channels(self) -> Deferred[Any]:
            return Deferred()

    clock = Clock()
    clock.advance(1_700_000_000)
    edge = make_edge(backbone=Hanging(MemoryJournal(), clock), clock=clock)
    peer = begin(edge, "/hooks/claude/SessionStart", {})
    for _ in range(2):
        clock.advance(0)
    assert peer.answers() == []
    clock.advance(SECONDS)
    (answer,) = peer.answers()
    assert (answer.status, answer.json) == (200, {})


# The same by a tool, for harnesses whose hooks call one


def test_a_hook_may_be_a_tool_that_is_not_listed(edge: Edge) -> None:
    given: dict[str, Any] = {"hook_event_name": "SessionStart", "session_id": "s1", "cwd": CWD}
    is_error, text = call(edge, "hook", "tok-alice", **given)
    assert not is_error
    assert "You are alice/alice-agent" in told(json.loads(text))
    call(edge, "post", body="news")
    given = {**given, "hook_event_name": "UserPromptSubmit"}
    assert "| news" in told(json.loads(call(edge, "hook", "tok-alice", **given)[1]))
    assert json.loads(call(edge, "hook", "tok-alice", **given)[1]) == {}
