"""The message: its fields, the rules that name what is wrong, ULIDs, the target key (docs/protocol.md)."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal, NamedTuple

import msgspec
from attrs import asdict, evolve, field, fields, frozen
from ulid import ULID

from caucus.errors import Detail, InvalidMessage
from caucus.model.text import CONTROL, CONTROL_EXCEPT_TAB_NEWLINE, SURROGATE, excerpt, trim

MessageType = Literal["finding", "claim", "status", "question", "answer", "note", "steer"]
Status = Literal["needs-response", "resolved", "fyi"]

SCHEMA_VERSION: Final = 1
TYPES: Final = frozenset({"finding", "claim", "status", "question", "answer", "note", "steer"})
STATUSES: Final = frozenset({"needs-response", "resolved", "fyi"})

SHORT_TEXT: Final = 1024
"""The most code points of a name, a target, an artifact or a purpose."""
BODY_TEXT: Final = 16_000
"""The most code points of a body."""
RECIPIENTS: Final = 32
"""The most entries of ``to``."""
UNKNOWN_FIELDS_NAMED: Final = 10

_ULID = re.compile("[0-9A-HJKMNP-TV-Z]{26}")
_CLAIM_ONLY = ("target", "lease_ttl", "heartbeat")
_decode_object = msgspec.json.Decoder(dict[str, object]).decode


class _Null:
    """The type of `NULL`."""

    def __repr__(self) -> str:
        return "null"


NULL: Final = _Null()
"""A JSON ``null``: a wrong value wherever it stands, while ``None`` means that a field is absent."""


def new_msg_id() -> str:
    """A fresh ULID: 26 upper-case Crockford base-32 characters."""
    return str(ULID())


@frozen
class Message:
    """One message, to be sent or as it was stored. ``None`` means that a field is absent.

    ``msg_id`` is filled in with a fresh ULID; ``agent_id`` and ``owner`` may be left out over
    HTTP, where the server sets them from the token. ``v`` and ``ts`` are the server's. The backbone
    checks the fields, not this class; lengths count code points.

    - ``type``: ``finding``, ``claim``, ``status``, ``question``, ``answer``, ``note`` or ``steer``.
    - ``body``: 1 to 16,000, no control characters but tab and newline.
    - ``msg_id``, ``thread``, ``reply_to``: a ULID, 26 upper-case Crockford base-32 characters.
    - ``agent_id``, ``owner``, ``artifact``: 1 to 1,024, no control characters.
    - ``to``: 1 to 32 names under the same rule.
    - ``status``: ``needs-response``, ``resolved`` or ``fyi``.
    - for a claim only: ``target``, not blank, at most 1,024, no control characters; ``lease_ttl``,
      a positive integer, seconds; ``heartbeat``, a boolean.
    """

    type: str
    body: str
    msg_id: str = field(factory=new_msg_id, kw_only=True)
    agent_id: str | None = field(default=None, kw_only=True)
    owner: str | None = field(default=None, kw_only=True)
    thread: str | None = field(default=None, kw_only=True)
    reply_to: str | None = field(default=None, kw_only=True)
    to: tuple[str, ...] | None = field(default=None, kw_only=True)
    status: str | None = field(default=None, kw_only=True)
    artifact: str | None = field(default=None, kw_only=True)
    target: str | None = field(default=None, kw_only=True)
    lease_ttl: int | None = field(default=None, kw_only=True)
    heartbeat: bool | None = field(default=None, kw_only=True)
    v: int | None = field(default=None, kw_only=True)
    ts: str | None = field(default=None, kw_only=True)

    @classmethod
    def from_json(cls, data: bytes) -> Message:
        """Read a stored message. Fields that this version does not know are left out.

        Raises `ValueError` if ``data`` is no JSON object with a type, a body and a msg_id.
        """
        try:
            stored = _decode_object(data)
        except msgspec.DecodeError as error:
            raise ValueError("not a stored message") from error
        known = {name: value for name, value in stored.items() if name in _FIELDS}
        if not all(isinstance(known.get(name), str) for name in ("type", "body", "msg_id")):
            raise ValueError("not a stored message")
        if "to" in known:
            recipients = known["to"]
            known["to"] = tuple(recipients) if isinstance(recipients, list) else None
        return cls(**known)  # type: ignore[arg-type]  # a stored message was validated by its server


MessageFields = Message | Mapping[str, object]
"""What the operations take for a message: a `Message`, or a mapping of its fields by their names."""

_FIELDS: Final = frozenset(attribute.name for attribute in fields(Message))


def fields_of(message: MessageFields) -> dict[str, object]:
    """The fields that are present, in order; a field that is ``None`` is absent.

    Raises `InvalidMessage` for what is neither a `Message` nor a mapping.
    """
    if not isinstance(message, Message | Mapping):
        raise InvalidMessage(("it must be a Message, or a mapping of its fields",))
    given = asdict(message, recurse=False) if isinstance(message, Message) else message
    return {name: value for name, value in given.items() if value is not None}


def as_integer(value: object) -> int | None:
    """The integer that a JSON number is, or ``None``: ``2.0`` is one, ``true`` and ``1e999`` are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if not abs(value) <= sys.float_info.max or int(value) != value:  # not <=, for NaN
        return None
    return int(value)


def require_type(kind: object, *, claim: bool) -> None:
    """The type rule: claims go through the claim operations, and nothing else does.

    Raises `InvalidMessage` with one issue.
    """
    if claim and kind != "claim":
        raise InvalidMessage(("type: must be claim for this operation",))
    if not claim and kind == "claim":
        raise InvalidMessage(("type: a claim goes through the claim operations",))


class Problem(NamedTuple):
    """One thing that is wrong with a message: a sentence, and where it is if that can be said."""

    issue: str
    detail: Detail | None = None


def refusal(problems: Iterable[Problem], prefix: str = "") -> InvalidMessage:
    """What refuses a message for these problems; ``prefix`` stands before the name of each field."""
    found = tuple(problems)
    return InvalidMessage(
        tuple(prefix + one.issue for one in found),
        tuple(
            evolve(one.detail, field=f"{prefix}{one.detail.field}") for one in found if one.detail is not None
        ),
    )


def character_problem(name: str, text: str, refused: re.Pattern[str], issue: str) -> Problem | None:
    """The first control character that a text may not hold, or an unpaired surrogate, if there is one."""
    for pattern, sentence in (
        (refused, issue),
        (SURROGATE, f"{name} must not contain unpaired surrogates"),
    ):
        found = pattern.search(text)
        if found is not None:
            count = sum(1 for _ in pattern.finditer(text))
            code_point = f"U+{ord(found[0]):04X}"
            detail = Detail(field=name, code_point=code_point, index=found.start(), count=count)
            return Problem(sentence, detail)
    return None


def length_problem(name: str, text: str, limit: int) -> Problem | None:
    """That a text has more code points than it may, if it has."""
    if len(text) <= limit:
        return None
    detail = Detail(field=name, length=len(text), limit=limit)
    return Problem(f"{name}: must have at most {limit} characters", detail)


def validate(message: Mapping[str, object]) -> None:
    """Check every field.

    Raises `InvalidMessage` with every problem together. The lengths of ``body``, ``target`` and
    the entries of ``to`` are looked at only if nothing else is wrong, and give one issue.
    """
    problems = tuple(_problems(message)) or tuple(_excess(message))[:1]
    if problems:
        raise refusal(problems)


def identity_problems(agent_id: object, owner: object) -> tuple[Problem, ...]:
    """The problems of an identity, at most one for each of its two fields."""
    found = (_name("agent_id", agent_id), _name("owner", owner))
    return tuple(problem for problem in found if problem is not None)


def target_key(target: str) -> str:
    """What decides whether two targets are one: trimmed, then Unicode NFC. Case and inner spaces count."""
    return unicodedata.normalize("NFC", trim(target))


def _problems(message: Mapping[str, object]) -> Iterator[Problem]:
    kind = message.get("type")
    if not (isinstance(kind, str) and kind in TYPES):
        yield _required(message, "type", f"must be one of {', '.join(sorted(TYPES))}")
    yield from identity_problems(message.get("agent_id"), message.get("owner"))
    yield from _ulids(message)
    body = message.get("body")
    if not (isinstance(body, str) and body):
        yield _required(message, "body", "must be non-empty text")
    else:
        yield from _present(
            character_problem(
                "body",
                body,
                CONTROL_EXCEPT_TAB_NEWLINE,
                "body must not contain control characters (tab and newline are allowed)",
            )
        )
    yield from _optional_problems(message)
    if kind == "claim":
        yield from _claim_problems(message)
    else:
        for name in _CLAIM_ONLY:
            if name in message:
                yield Problem(f"{name}: is for claims only")
    yield from _unknown(message)


def _present(problem: Problem | None) -> Iterator[Problem]:
    if problem is not None:
        yield problem


def _required(message: Mapping[str, object], name: str, wrong: str) -> Problem:
    return Problem(f"{name}: {wrong if name in message else 'is missing'}")


def _ulids(message: Mapping[str, object]) -> Iterator[Problem]:
    for name in ("msg_id", "thread", "reply_to"):
        value = message.get(name)
        if name != "msg_id" and name not in message:
            continue
        if not (isinstance(value, str) and _ULID.fullmatch(value)):
            yield _required(message, name, "must be a ULID of 26 upper-case characters")


def _optional_problems(message: Mapping[str, object]) -> Iterator[Problem]:
    if "to" in message:
        yield from _present(_recipients_problem(message["to"]))
    if "status" in message:
        status = message["status"]
        if not (isinstance(status, str) and status in STATUSES):
            yield Problem(f"status: must be one of {', '.join(sorted(STATUSES))}")
    if "artifact" in message:
        yield from _present(_name("artifact", message["artifact"]))
    if "ts" in message and not (isinstance(message["ts"], str) and message["ts"]):
        yield Problem("ts: must be non-empty text; the server overwrites it")


def _recipients_problem(recipients: object) -> Problem | None:
    if not (isinstance(recipients, list | tuple) and recipients):
        return Problem(f"to: must be a list of 1 to {RECIPIENTS} names")
    count = len(recipients)
    if count > RECIPIENTS:
        detail = Detail(field="to", length=count, limit=RECIPIENTS)
        return Problem(f"to[] has more than {RECIPIENTS} recipients ({count})", detail)
    if not all(isinstance(entry, str) and entry for entry in recipients):
        return Problem("to: every name must be non-empty text")
    issue = "to entries must not contain control characters"
    found = (
        character_problem(f"to[{number}]", entry, CONTROL, issue) for number, entry in enumerate(recipients)
    )
    return next((problem for problem in found if problem is not None), None)


def _claim_problems(message: Mapping[str, object]) -> Iterator[Problem]:
    target = message.get("target")
    if not (isinstance(target, str) and trim(target)):
        yield _required(message, "target", "must be text that is not blank")
    else:
        yield from _present(_printable("target", target))
    if "lease_ttl" in message:
        seconds = as_integer(message["lease_ttl"])
        if seconds is None or seconds < 1:
            yield Problem("lease_ttl: must be a positive integer, in seconds")
    if "heartbeat" in message and not isinstance(message["heartbeat"], bool):
        yield Problem("heartbeat: must be true or false")


def _unknown(message: Mapping[str, object]) -> Iterator[Problem]:
    unknown = [name for name in message if name not in _FIELDS]
    for name in unknown[:UNKNOWN_FIELDS_NAMED]:
        yield Problem(f'unknown field "{excerpt(str(name))}"')
    if len(unknown) > UNKNOWN_FIELDS_NAMED:
        yield Problem(f"and {len(unknown) - UNKNOWN_FIELDS_NAMED} more unknown fields")


def _excess(message: Mapping[str, object]) -> Iterator[Problem]:
    yield from _present(length_problem("body", str(message["body"]), BODY_TEXT))
    yield from _present(length_problem("target", str(message.get("target", "")), SHORT_TEXT))
    recipients = message.get("to", ())
    if isinstance(recipients, list | tuple):
        for number, entry in enumerate(recipients):
            yield from _present(length_problem(f"to[{number}]", str(entry), SHORT_TEXT))


def _name(name: str, value: object) -> Problem | None:
    if not (isinstance(value, str) and value):
        return Problem(f"{name}: must be non-empty text")
    return _printable(name, value) or length_problem(name, value, SHORT_TEXT)


def _printable(name: str, text: str) -> Problem | None:
    return character_problem(name, text, CONTROL, f"{name} must not contain control characters")
