"""The guard: who is told, and stopped, before an edit of what somebody else holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from caucus.agents.whereabouts import ENDS, Where
from tests.agents import CWD, call, hook, told
from tests.raw import Edge, make_edge

PATCH = "*** Begin Patch\n*** Update File: src/auth/a.py\n"


@pytest.fixture
def edge() -> Edge:
    opened = make_edge()
    opened.make_room()
    return opened


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
        ("codex", "PreToolUse", "Bash", {"command": f"apply_patch <<'EOF'\n{PATCH}EOF\n"}, "inner"),
        ("opencode", "tool.execute.before", "apply_patch", {"patchText": PATCH}, "flat"),
        ("pi", "tool_call", "write", {"path": "src/auth/a.py"}, "flat"),
        ("gemini", "BeforeTool", "replace", {"file_path": "src/auth/a.py"}, "plain"),
        ("claude", "PreToolUse", "MultiEdit", {"edits": [{"file_path": "src/auth/a.py"}]}, "inner"),
    ],
)
def test_each_harness_names_its_files_and_is_denied_in_its_own_way(
    edge: Edge, dialect: str, event: str, tool: str, arguments: Any, answer: str
) -> None:
    call(edge, "claim", targets=["src/auth/"], note="x")
    names = {
        "copilot": ("toolName", "toolArgs"),
        "opencode": ("tool", "args"),
        "pi": ("toolName", "input"),
    }.get(dialect, ("tool_name", "tool_input"))
    given = hook(
        edge, event, dialect, query="?guard=deny", **dict(zip(names, (tool, arguments), strict=True))
    )
    verdicts = {
        "inner": lambda: given["hookSpecificOutput"]["permissionDecision"],
        "flat": lambda: given["permissionDecision"],
        "plain": lambda: given["decision"],
    }
    assert verdicts[answer]() == "deny"


def test_a_file_is_guarded_however_much_is_to_be_in_it_up_to_a_mebibyte(edge: Edge) -> None:
    call(edge, "claim", targets=["src/auth/"], note="x")
    given = {"file_path": "src/auth/a.py", "content": "x" * 1_000_000}
    answer = hook(edge, "PreToolUse", query="?guard=deny", tool_name="Write", tool_input=given)
    assert answer["hookSpecificOutput"]["permissionDecision"] == "deny"
    refused = edge.ask("POST", "/hooks/claude/PreToolUse", b'"' + b"x" * 1_048_576 + b'"', token="tok-alice")
    assert (refused.status, refused.code) == (413, "payload_too_large")


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


@pytest.mark.parametrize(
    ("target", "path", "is_held"),
    [
        ("src/", f"{CWD}/src/a.py", True),
        ("src/**", "src/a.py", True),
        ("auth/", "src/auth/a.py", True),
        ("a.py", "src/auth/a.py", True),
        ("./src/a.py", "src/a.py", True),
        (f"{CWD}/src/", "src/a.py", True),
        (f"{CWD}/src/a.py", f"{CWD}/src/a.py", True),
        ("shop/src/", "src/a.py", True),
        ("**", "src/a.py", True),
        ("src/a.py", "C:\\work\\shop\\src\\a.py", True),
        ("shop/", "docs/x.md", False),
        ("alice/", "docs/x.md", False),
        ("/home/alice/", "docs/x.md", False),
        ("src/", f"{CWD}/docs/src.md", False),
        ("/src/", "src/a.py", False),
    ],
)
def test_a_file_lies_in_what_is_claimed_wherever_a_checkout_is(
    edge: Edge, target: str, path: str, is_held: bool
) -> None:
    call(edge, "claim", targets=[target], note="x")
    given: dict[str, Any] = {"tool_name": "Edit", "tool_input": {"file_path": path}}
    assert bool(hook(edge, "PreToolUse", query="?guard=deny", **given)) == is_held


def test_a_path_is_looked_at_in_a_bounded_way() -> None:
    where = Where.of("/a", "/a/" + "b/" * 100_000 + "c.py")
    assert len(where.targets) <= ENDS + 2


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        (
            "Write",
            {"file_path": "docs/patches.md", "content": "*** Begin Patch\n*** Update File: src/a.py\n"},
        ),
        ("NotebookRead", {"notebook_path": "src/a.ipynb"}),
        ("str_replace_editor", {"command": "view", "path": "src/a.py"}),
        ("Edit", {"file_path": "src/" + "x" * 5000}),
    ],
)
def test_what_changes_no_file_that_is_held_is_let_through(edge: Edge, tool: str, given: Any) -> None:
    call(edge, "claim", targets=["src/"], note="x")
    assert hook(edge, "PreToolUse", query="?guard=deny", tool_name=tool, tool_input=given) == {}


def test_a_patch_with_other_line_ends_names_its_files_too(edge: Edge) -> None:
    call(edge, "claim", targets=["src/"], note="x")
    patch = "*** Begin Patch\r\n*** Update File: docs/a.md\r\n*** Add File: src/a.py\r\n"
    given: dict[str, Any] = {"tool_name": "apply_patch", "tool_input": {"command": patch}}
    assert hook(edge, "PreToolUse", "codex", query="?guard=deny", **given) != {}
