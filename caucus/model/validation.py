"""What is wrong with a message: every problem by name. A good message never comes here.

The rules are those that the types of `caucus.model.messages.AnyMessage` say, and a few that no type can.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

from caucus.errors import Detail
from caucus.model.fields import (
    BODY_TEXT,
    RECIPIENTS,
    SHORT_TEXT,
    STATUSES,
    TYPES,
    ULID_PATTERN,
    as_integer,
)
from caucus.model.messages import CLAIM_ONLY, FIELDS
from caucus.model.problems import (
    Problem,
    character_problem,
    length_problem,
    line_problem,
    name_problem,
    refusal,
    text_problem,
)
from caucus.model.text import CONTROL, excerpt, trim

UNKNOWN_FIELDS_NAMED: Final = 10

_ULID = re.compile(ULID_PATTERN)


def validate(message: Mapping[str, object]) -> None:
    """Check every field.

    Raises `InvalidMessage` with every problem together. The lengths of ``body``, ``target`` and
    the entries of ``to`` are looked at only if nothing else is wrong, and give one issue.
    """
    problems = tuple(_problems(message)) or tuple(_excess(message))[:1]
    if problems:
        raise refusal(problems)


def _problems(message: Mapping[str, object]) -> Iterator[Problem]:
    is_claim = message.get("type") == "claim"
    for name, rule in RULES.items():
        if name in CLAIM_ONLY and not is_claim:
            if name in message:
                yield Problem(f"{name}: is for claims only")
        elif name in message:
            problem = rule(name, message[name])
            if problem is not None:
                yield problem
        elif name in ("agent_id", "owner"):
            yield from filter(None, [rule(name, None)])
        elif name in _REQUIRED or (name == "target" and is_claim):
            yield Problem(f"{name}: is missing")
    yield from unknown_problems(message, FIELDS)


def _type(name: str, value: object) -> Problem | None:
    return _one_of(TYPES, name, value)


def _status(name: str, value: object) -> Problem | None:
    return _one_of(STATUSES, name, value)


def _one_of(words: Iterable[str], name: str, value: object) -> Problem | None:
    if isinstance(value, str) and value in words:
        return None
    return Problem(f"{name}: must be one of {', '.join(sorted(words))}")


def ulid_problem(name: str, value: object) -> Problem | None:
    if isinstance(value, str) and _ULID.match(value):
        return None
    return Problem(f"{name}: must be a ULID of 26 upper-case characters")


def body_problem(name: str, value: object) -> Problem | None:
    if not (isinstance(value, str) and value):
        return Problem(f"{name}: must be non-empty text")
    return text_problem(name, value)


def _recipients(name: str, value: object) -> Problem | None:
    if not (isinstance(value, list | tuple) and value):
        return Problem(f"{name}: must be a list of 1 to {RECIPIENTS} names")
    count = len(value)
    if count > RECIPIENTS:
        detail = Detail(field=name, length=count, limit=RECIPIENTS)
        return Problem(f"{name}[] has more than {RECIPIENTS} recipients ({count})", detail)
    if not all(isinstance(entry, str) and entry for entry in value):
        return Problem(f"{name}: every name must be non-empty text")
    issue = f"{name} entries must not contain control characters"
    found = (
        character_problem(f"{name}[{number}]", entry, CONTROL, issue) for number, entry in enumerate(value)
    )
    return next((problem for problem in found if problem is not None), None)


def _target(name: str, value: object) -> Problem | None:
    if not (isinstance(value, str) and trim(value)):
        return Problem(f"{name}: must be text that is not blank")
    return line_problem(name, value)


def _lease(name: str, value: object) -> Problem | None:
    seconds = as_integer(value)
    if seconds is None or seconds < 1:
        return Problem(f"{name}: must be a positive integer, in seconds")
    return None


def _truth(name: str, value: object) -> Problem | None:
    return None if isinstance(value, bool) else Problem(f"{name}: must be true or false")


def _stamp(name: str, value: object) -> Problem | None:
    if isinstance(value, str) and value:
        return None
    return Problem(f"{name}: must be non-empty text; the server overwrites it")


def _anything(_name: str, _value: object) -> Problem | None:
    return None


_REQUIRED: Final = frozenset({"type", "agent_id", "owner", "msg_id", "body"})
RULES: Final[Mapping[str, Callable[[str, object], Problem | None]]] = {
    "type": _type,
    "agent_id": name_problem,
    "owner": name_problem,
    "msg_id": ulid_problem,
    "thread": ulid_problem,
    "reply_to": ulid_problem,
    "body": body_problem,
    "to": _recipients,
    "status": _status,
    "artifact": name_problem,
    "ts": _stamp,
    "target": _target,
    "lease_ttl": _lease,
    "heartbeat": _truth,
    "v": _anything,
}
"""What names the problem of each field, in the order in which problems are told."""


def unknown_problems(message: Mapping[str, object], known: Collection[str]) -> Iterator[Problem]:
    """The problems of fields that are none of the known ones: the first 10 by name."""
    unknown = [name for name in message if name not in known]
    for name in unknown[:UNKNOWN_FIELDS_NAMED]:
        yield Problem(f'unknown field "{excerpt(str(name))}"')
    if len(unknown) > UNKNOWN_FIELDS_NAMED:
        yield Problem(f"and {len(unknown) - UNKNOWN_FIELDS_NAMED} more unknown fields")


def _excess(message: Mapping[str, object]) -> Iterator[Problem]:
    """The lengths that are looked at last."""
    texts = [("body", message["body"], BODY_TEXT), ("target", message.get("target", ""), SHORT_TEXT)]
    recipients = message.get("to", ())
    if isinstance(recipients, list | tuple):
        texts += [(f"to[{number}]", entry, SHORT_TEXT) for number, entry in enumerate(recipients)]
    for name, text, limit in texts:
        problem = length_problem(name, str(text), limit)
        if problem is not None:
            yield problem
