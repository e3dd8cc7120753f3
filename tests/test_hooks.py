"""Hooks of harnesses at the edge: what an agent is told of, when, and in which harness's words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from caucus.agents.dialects import DIALECTS
from caucus.agents.hooks import BUDGET, EVERY, SECONDS, ends_of
from caucus.core.backbone import Backbone
from caucus.journals.memory import MemoryJournal
from tests.agents import call
from tests.raw import Edge, make_edge

CWD = "/home/alice/shop"
HEAD = "HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer tok-alice\r\n"
PATCH = "*** Begin Patch\n*** Update File: src/auth/a.py\n"
SESSION = {"claude": "session_id", "codex": "session_id", "copilot": "sessionId", "gemini": "session_id"}


@pytest.fixture
def edge() -> Edge:
    opened = make_edge(max_posts_per_minute=1000, global_max_posts_per_minute=1000)
    opened.make_room()
    return opened


def hook(
    edge: Edge,
    event: str,
    dialect: str = "claude",
    token: str = "tok-alice",
    session: str = "s1",
    query: str = "",
    **payload: Any,
) -> Any:
    body = {SESSION[dialect]: session, "cwd": CWD, **payload}
    answer = edge.ask("POST", f"/hooks/{dialect}/{event}{query}", body, token)
    assert answer.status == 200, answer.body
    return answer.json


def told(answer: Any) -> str:
    """The text that the model is to see; empty for none."""
    inner = answer.get("hookSpecificOutput", answer)
    return str(inner.get("additionalContext", ""))


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
    assert answer == ({"additionalContext": text} if dialect == "copilot" else {"hookSpecificOutput": inner})


def test_a_room_that_is_not_there_is_told_at_the_start_and_never_after(edge: Edge) -> None:
    assert "`rooms`" in begun(edge, query="?room=nowhere")
    assert hook(edge, "UserPromptSubmit", query="?room=nowhere") == {}


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


def test_what_was_told_to_a_connection_that_is_gone_is_told_again(edge: Edge) -> None:
    begun(edge)
    call(edge, "post", body="news")
    body = json.dumps({"session_id": "s1", "cwd": CWD}).encode()
    head = f"POST /hooks/claude/UserPromptSubmit {HEAD}"
    peer = edge.connect()
    peer.transport.pause_after = 0
    peer.send(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")  # its answer is not taken
    peer.send(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    peer.lose()
    assert "| news" in told(hook(edge, "UserPromptSubmit"))


# The guard


@pytest.mark.parametrize(
    "path", [f"{CWD}/src/auth/login.py", "src/auth/login.py", "./src/x/../auth/login.py"]
)
def test_an_edit_of_what_somebody_else_holds_is_denied(edge: Edge, path: str) -> None:
    call(edge, "claim", targets=["src/auth/"], note="session check")
    answer = hook(edge, "PreToolUse", query="?guard=deny", tool_name="Edit", tool_input={"file_path": path})
    inner = answer["hookSpecificOutput"]
    assert (inner["hookEventName"], inner["permissionDecision"]) == ("PreToolUse", "deny")
    assert "bob/bob-agent holds it, 15 min left" in inner["permissionDecisionReason"]


def test_a_warning_is_told_and_stops_nothing(edge: Edge) -> None:
    call(edge, "claim", targets=["login.py"], note="x")
    given = {"file_path": f"{CWD}/src/auth/login.py"}
    answer = hook(edge, "PreToolUse", query="?guard=warn", tool_name="Write", tool_input=given)
    assert "is somebody else's" in told(answer)
    assert "permissionDecision" not in json.dumps(answer)


@pytest.mark.parametrize(
    ("dialect", "event", "tool", "arguments", "answer"),
    [
        (
            "codex",
            "PreToolUse",
            "apply_patch",
            {"input": PATCH},
            "inner",
        ),
        ("copilot", "preToolUse", "edit", json.dumps({"path": "src/auth/a.py"}), "flat"),
        ("gemini", "BeforeTool", "replace", {"file_path": "src/auth/a.py"}, "plain"),
        ("claude", "PreToolUse", "MultiEdit", {"edits": [{"file_path": "src/auth/a.py"}]}, "inner"),
    ],
)
def test_each_harness_names_its_files_and_is_denied_in_its_own_way(
    edge: Edge, dialect: str, event: str, tool: str, arguments: Any, answer: str
) -> None:
    call(edge, "claim", targets=["src/auth/"], note="x")
    names = ("toolName", "toolArgs") if dialect == "copilot" else ("tool_name", "tool_input")
    given = hook(
        edge, event, dialect, query="?guard=deny", **dict(zip(names, (tool, arguments), strict=True))
    )
    verdicts = {
        "inner": lambda: given["hookSpecificOutput"]["permissionDecision"],
        "flat": lambda: given["permissionDecision"],
        "plain": lambda: given["decision"],
    }
    assert verdicts[answer]() == "deny"


@pytest.mark.parametrize(
    ("query", "token", "tool", "path"),
    [
        ("", "tok-alice", "Edit", "src/auth/a.py"),
        ("?guard=off", "tok-alice", "Edit", "src/auth/a.py"),
        ("?guard=deny", "tok-bob", "Edit", "src/auth/a.py"),
        ("?guard=deny", "tok-alice", "Read", "src/auth/a.py"),
        ("?guard=deny", "tok-alice", "Edit", "src/other/a.py"),
        ("?guard=deny", "tok-alice", "Edit", ""),
    ],
)
def test_nothing_is_said_to_other_edits(edge: Edge, query: str, token: str, tool: str, path: str) -> None:
    call(edge, "claim", targets=["src/auth/"], note="x")
    given: dict[str, Any] = {"tool_name": tool, "tool_input": {"file_path": path}}
    assert hook(edge, "PreToolUse", query=query, token=token, **given) == {}


def test_what_is_shared_is_in_the_way_of_those_only_who_have_no_share(edge: Edge) -> None:
    call(edge, "claim", targets=["src/"], note="x", mode="shared")
    given: dict[str, Any] = {"tool_name": "Edit", "tool_input": {"file_path": "src/a.py"}}
    assert "bob/bob-agent" in told(hook(edge, "PreToolUse", query="?guard=warn", **given))
    call(edge, "claim", "tok-alice", targets=["src/a.py"], note="x", mode="shared")
    assert hook(edge, "PreToolUse", query="?guard=warn", **given) == {}


def test_a_claim_of_the_older_operation_is_its_owners(edge: Edge) -> None:
    claim = {"type": "claim", "body": "x", "target": "src/a.py", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}
    edge.ask("POST", "/channels/room/claim", claim, "tok-bob")
    given: dict[str, Any] = {"tool_name": "Edit", "tool_input": {"file_path": "src/a.py"}}
    assert "bob/bob-agent" in told(hook(edge, "PreToolUse", query="?guard=warn", **given))
    assert hook(edge, "PreToolUse", token="tok-bob", query="?guard=warn", **given) == {}


def test_a_path_is_looked_for_without_each_of_its_folders() -> None:
    assert ends_of("/home/a/src/x.py") == ("home/a/src/x.py", "a/src/x.py", "src/x.py", "x.py")
    assert ends_of("C:\\work\\x.py")[-1] == "x.py"
    assert len(ends_of("/".join("f" * 100))) == 32
    assert ends_of("a/*.py\n") == ()


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
    answer = edge.ask(
        "POST", "/hooks/claude/PreToolUse?guard=deny", json.dumps(payload).encode(), "tok-alice"
    )
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
    peer = edge.connect()
    head = (
        "POST /hooks/claude/SessionStart HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer tok-alice\r\n"
    )
    peer.send(f"{head}Content-Length: 2\r\n\r\n{{}}".encode())
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
