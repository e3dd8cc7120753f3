"""How harnesses tell of what happens, and what they take for an answer: each in its own words.

A harness calls a hook when something happens in a session. What comes is read into one `Moment`; what there
is to say, a text or a verdict, is put as that harness takes it. Nothing to say is an empty object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, Literal

from attrs import frozen

Kind = Literal["start", "turn", "tool", "edit", "stop"]
"""A session begins; a turn begins; a tool was used; a tool is to be used; the agent is about to stop."""
Verdict = Literal["off", "warn", "deny"]
"""What becomes of an edit of what somebody else holds."""

_EDITS: Final = re.compile("edit|write|patch|replace|create|update|insert|notebook", re.IGNORECASE)
"""What a tool is called that changes files."""
_READS: Final = re.compile("read|view|search|list|grep|glob", re.IGNORECASE)
_PATCHES: Final = ("input", "patch", "patchText", "command")
"""Where a patch is, and no file's content."""
_PATHS: Final = ("file_path", "notebook_path", "path", "filePath", "file", "absolute_path", "target_file")
_PATCHED: Final = re.compile(r"^\*\*\* (?:(?:Add|Update|Delete) File|Move to): (.+)$", re.MULTILINE)
"""What a patch in the form of ``apply_patch`` is of."""
_BEGIN: Final = "*** Begin Patch"
MOST_PATHS: Final = 128
LONGEST_PATH: Final = 4096


@frozen
class Moment:
    """What happens in a session of an agent; ``event`` is as its harness calls it."""

    kind: Kind
    event: str
    session: str
    cwd: str = ""
    paths: tuple[str, ...] = ()
    is_again: bool = False


class Dialect:
    """How one kind of harness speaks: its names of events, and of the fields of what it sends."""

    def __init__(self, events: Mapping[str, Kind], session: str, tool: str, arguments: str) -> None:
        self.events = events
        self._session = session
        self._tool = tool
        self._arguments = arguments

    def read(self, event: str, payload: Mapping[str, Any]) -> Moment | None:
        """What happens, or ``None`` if it is nothing that anything is said to."""
        kind = self.events.get(event)
        if kind is None:
            return None
        paths: tuple[str, ...] = ()
        if kind == "edit":
            given = payload.get(self._arguments)
            if edits(_text(payload.get(self._tool))):
                paths = _paths(given)
            elif isinstance(given, Mapping):  # a patch may come by a shell
                paths = _fit(_patched(given))
            if not paths:
                return None
        again = payload.get("stop_hook_active", payload.get("stopHookActive"))
        return Moment(
            kind,
            event,
            _text(payload.get(self._session))[:256],
            _text(payload.get("cwd"))[:4096],
            paths,
            again is True or (isinstance(again, str) and again.lower() == "true"),
        )

    def told(self, moment: Moment, text: str) -> dict[str, Any]:
        """A text that the model is to see."""
        return {"hookSpecificOutput": {"hookEventName": moment.event, "additionalContext": text}}

    def denied(self, moment: Moment, reason: str) -> dict[str, Any]:
        """An edit is not to happen."""
        verdict = {"permissionDecision": "deny", "permissionDecisionReason": reason}
        return {"hookSpecificOutput": {"hookEventName": moment.event, **verdict}}

    def held_back(self, moment: Moment, reason: str) -> dict[str, Any]:  # noqa: ARG002
        """The agent is not to stop yet."""
        return {"decision": "block", "reason": reason}


class Flat(Dialect):
    """One that takes what others have within an object at the top."""

    def told(self, moment: Moment, text: str) -> dict[str, Any]:  # noqa: ARG002
        return {"additionalContext": text}

    def denied(self, moment: Moment, reason: str) -> dict[str, Any]:  # noqa: ARG002
        return {"permissionDecision": "deny", "permissionDecisionReason": reason}


class Plain(Dialect):
    """One whose guard says what it decides as whoever stops does."""

    def denied(self, moment: Moment, reason: str) -> dict[str, Any]:  # noqa: ARG002
        return {"decision": "deny", "reason": reason}


_CLAUDE: Final[Mapping[str, Kind]] = {
    "SessionStart": "start",
    "UserPromptSubmit": "turn",
    "PostToolUse": "tool",
    "PreToolUse": "edit",
    "Stop": "stop",
}
DIALECTS: Final[Mapping[str, Dialect]] = {
    "claude": Dialect(_CLAUDE, "session_id", "tool_name", "tool_input"),
    "codex": Dialect(_CLAUDE, "session_id", "tool_name", "tool_input"),
    "copilot": Flat(
        {
            "sessionStart": "start",
            "userPromptSubmitted": "turn",
            "postToolUse": "tool",
            "preToolUse": "edit",
            "agentStop": "stop",
        },
        "sessionId",
        "toolName",
        "toolArgs",
    ),
    "opencode": Flat(
        {
            "session.created": "start",
            "chat.message": "turn",
            "tool.execute.after": "tool",
            "tool.execute.before": "edit",
        },
        "sessionID",
        "tool",
        "args",
    ),
    "pi": Flat(
        {"session_start": "start", "before_agent_start": "turn", "tool_result": "tool", "tool_call": "edit"},
        "sessionId",
        "toolName",
        "input",
    ),
    "gemini": Plain(
        {"SessionStart": "start", "BeforeAgent": "turn", "AfterTool": "tool", "BeforeTool": "edit"},
        "session_id",
        "tool_name",
        "tool_input",
    ),
}
"""Each dialect by its name in the address of a hook."""


def edits(tool: str) -> bool:
    """Whether a tool changes files, by its name."""
    return bool(_EDITS.search(tool)) and not _READS.search(tool)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _paths(given: object) -> tuple[str, ...]:
    """The files that a tool is to change."""
    if isinstance(given, str) and not given.lstrip().startswith(_BEGIN):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            return ()
    if isinstance(given, str):
        return _fit(_PATCHED.findall(given))
    if not isinstance(given, Mapping) or given.get("command") == "view":
        return ()
    named = [given[name] for name in _PATHS if name in given]
    named += _patched(given)
    for value in given.values():
        if isinstance(value, list):  # as an edit of several files has it
            named += [one[name] for one in value if isinstance(one, dict) for name in _PATHS if name in one]
    return _fit(named)


def _patched(given: Mapping[str, object]) -> list[object]:
    """What the patches are of that a tool is given."""
    texts = [given.get(name) for name in _PATCHES]
    return [path for one in texts if isinstance(one, str) and _BEGIN in one for path in _PATCHED.findall(one)]


def _fit(named: list[object]) -> tuple[str, ...]:
    texts = [one.strip() for one in named if isinstance(one, str) and len(one) <= LONGEST_PATH]
    return tuple(dict.fromkeys(one for one in texts if one))[:MOST_PATHS]
