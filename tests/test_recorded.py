"""Exchanges recorded from the service whose clients must work against this one, played again."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from caucus.limits import Limits, environment_name, limit_fields
from tests.raw import Answer, Edge, make_edge

SESSIONS: dict[str, dict[str, Any]] = {
    session["name"]: session
    for session in map(json.loads, (Path(__file__).parent / "recorded/sessions.jsonl").open(encoding="utf-8"))
}


@pytest.mark.parametrize("name", sorted(SESSIONS))
def test_recorded_session(name: str) -> None:
    stamps: set[str] = set()
    session = SESSIONS[name]
    steps = [step for step in session["steps"] if "sleep" not in step]
    for number, (step, answer) in enumerate(zip(steps, play_session(session), strict=True)):
        found = differences(step["expect"], answer, stamps)
        assert not found, f"step {number}, {step['method']} {step['path']}"


def play_session(session: dict[str, Any], http: str | None = None) -> Iterator[Answer]:
    """The answers to a session's steps, one by one."""
    environment = session["env"]
    caps = {field: environment.get(environment_name(field), "") for field, _ in limit_fields()}
    limits = Limits.parse({field: text for field, text in caps.items() if text})
    edge = make_edge(
        environment.get("CAUCUS_TOKENS", ""),
        admin_token=environment.get("CAUCUS_ADMIN_TOKEN", ""),
        http=http,
        **{name: getattr(limits, name) for name in caps},
    )
    minted: list[str] = []
    for step in session["steps"]:
        if "sleep" in step:
            edge.clock.advance(step["sleep"])
        else:
            yield _play(edge, step, minted)


def _play(edge: Edge, step: dict[str, Any], minted: list[str]) -> Answer:
    """Send a step, with the tokens in it that earlier steps were given."""
    method, path, body, headers = filled(step, minted)
    answer = edge.ask(method, path, body, headers=tuple(headers.items()))
    if b'"token":' in answer.body:
        minted.append(answer.json["token"])
    return answer


def filled(step: dict[str, Any], minted: list[str]) -> tuple[str, str, bytes | None, dict[str, str]]:
    """A step's method, path, body and headers, with the tokens in it that earlier steps were given."""
    text = re.sub(r"\$\{token:(\d+)\}", lambda found: minted[int(found[1])], json.dumps(step))
    step = json.loads(text)
    body: bytes | None = None
    if "json" in step:
        body = json.dumps(step["json"]).encode()
    elif "raw" in step:
        body = step["raw"].encode()
    elif "repeat" in step:
        unit, count = step["repeat"]
        body = unit.encode() * count
    elif "base64" in step:
        body = base64.b64decode(step["base64"])
    return step["method"], step["path"], body, step["headers"]


def differences(expected: dict[str, Any], answer: Answer, stamps: set[str]) -> list[str]:
    """What differs, each as ``what: expected, got``."""
    content_type = answer.headers["content-type"].partition(";")[0]
    pairs = [("status", expected["status"], answer.status), ("type", expected["type"], content_type)]
    if content_type != "application/json":
        pairs.append(("bytes", expected["base64"], base64.b64encode(answer.body).decode()))
    elif "error" in expected:
        error = answer.json.get("error", {})
        issues = len(error["issues"]) if "issues" in error else None
        pairs.append(("code", expected["error"], error.get("code")))
        pairs.append(("issues", expected.get("issues"), issues))
        message = error.get("message", "")
        pairs += [
            (pattern, True, bool(re.search(pattern, message))) for pattern in expected.get("message_has", ())
        ]
        pairs += [("echo", False, text in message) for text in expected.get("message_lacks", ())]
    else:
        pairs.append(("body", expected["body"], _with_placeholders(answer.json, stamps)))
    return [f"{what}: {wanted!r}, got {got!r}" for what, wanted, got in pairs if wanted != got]


def _with_placeholders(value: Any, stamps: set[str]) -> Any:
    """The value with each stamp replaced; every stamp must be a non-empty string."""
    if isinstance(value, dict):
        value = {name: "<token>" if name == "token" else inner for name, inner in value.items()}
        return {
            name: "<ts>"
            if name in ("ts", "created_ts") and _is_stamp(inner, stamps)
            else _with_placeholders(inner, stamps)
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [_with_placeholders(inner, stamps) for inner in value]
    return value


def _is_stamp(value: object, stamps: set[str]) -> bool:
    if isinstance(value, str) and value:
        stamps.add(value)
        return True
    return False
