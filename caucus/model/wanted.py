"""What a claim is asked for with, and what is said about one: the rules of such bodies."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, Final, cast, get_args

import msgspec
from msgspec import Meta
from msgspec.structs import asdict

from caucus.errors import InvalidMessage
from caucus.model.claims import Mode, Renewal
from caucus.model.fields import BODY_TEXT, SHORT_TEXT, Body, Maybe, Name, Target, Ulid, as_integer
from caucus.model.messages import new_msg_id
from caucus.model.plain import is_plain, unsearched
from caucus.model.problems import Problem, length_problem, line_problem, name_problem, refusal
from caucus.model.targets import read_target, readable_targets
from caucus.model.text import trim
from caucus.model.validation import body_problem, ulid_problem, unknown_problems

MOST_TARGETS: Final = 32
SHORTEST_LEASE: Final = 10
LONGEST_LEASE: Final = 86_400
DEFAULT_LEASE: Final = 900
OFFER_SECONDS: Final = 600
"""How long an offer stands that says nothing of it."""

Fields = Mapping[str, object]


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A claim, as it is asked for.

    - ``targets``: 1 to 32, each of 1 to 1,024 code points without control characters, and not blank. One
      that ends in ``/`` or ``/**`` is a folder with all that lies in it, and ``**`` is everything.
    - ``note``: by the rules of a message's ``body``: what is being done.
    - ``mode``: ``shared`` claims do not conflict with each other; ``exclusive`` is the default.
    - ``lease_ttl``: 10 to 86,400 seconds.
    - ``renewal``: by any ``activity`` of the agent, or by ``explicit`` renewing alone.
    - ``wait``: whether it waits in line for what stands in front of it.
    - ``takeover``: whether it takes the place of the same owner's claims.
    - ``msg_id``, ``thread``, ``artifact``: of the message that says that it is granted.
    """

    targets: Annotated[tuple[Target, ...], Meta(min_length=1, max_length=MOST_TARGETS)]
    note: Body
    mode: Mode = "exclusive"
    lease_ttl: Annotated[int, Meta(ge=SHORTEST_LEASE, le=LONGEST_LEASE)] = DEFAULT_LEASE
    renewal: Renewal = "activity"
    wait: bool = False
    takeover: bool = False
    msg_id: Ulid = msgspec.field(default_factory=new_msg_id)
    thread: Maybe[Ulid] = None
    artifact: Maybe[Name] = None


class Asked(Wanted, frozen=True):
    """One that keeps the rules: it comes from `read_asked` or `asked_for` and not from its constructor."""


_decode = msgspec.json.Decoder(Asked).decode
_decode_plain = msgspec.json.Decoder(unsearched(Asked)).decode


def read_asked(body: bytes) -> Asked | None:
    """The claim that a JSON text asks for, or ``None`` if anything about it is wrong."""
    try:
        asked = _decode_plain(body) if is_plain(body) else _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if readable_targets(asked.targets) is None else asked


def asked_for(given: object) -> Asked:
    """A claim as it is asked for. Raises `InvalidMessage` with all problems of the mapping of its fields.

    One typed pass finds a good one good; what is wrong with another is named field by field.
    """
    if isinstance(given, Asked):
        return given
    if isinstance(given, Wanted):
        given = asdict(given)
    try:
        asked = msgspec.convert(given, Asked)
    except msgspec.ValidationError:
        asked = None
    if asked is not None and readable_targets(asked.targets) is not None:
        return asked
    fields = checked(given, _WANTED, ("targets", "note"))
    lease = as_integer(fields.get("lease_ttl", DEFAULT_LEASE))
    known = {name: value for name, value in fields.items() if name not in ("targets", "lease_ttl")}
    targets = tuple(cast("list[str]", fields["targets"]))
    return Asked(targets=targets, lease_ttl=lease or DEFAULT_LEASE, **cast("dict[str, Any]", known))


def checked(given: object, rules: Mapping[str, Rule], needed: tuple[str, ...] = ()) -> dict[str, object]:
    """The fields that are given; one that is ``None`` is absent. Raises `InvalidMessage`, all together."""
    if not isinstance(given, Mapping):
        raise InvalidMessage(("it must be a mapping of its fields",))
    fields = {name: value for name, value in given.items() if value is not None}
    problems = tuple(_problems(fields, rules, needed))
    if problems:
        raise refusal(problems)
    return fields


def _problems(fields: Fields, rules: Mapping[str, Rule], needed: tuple[str, ...]) -> Iterator[Problem]:
    for name, rule in rules.items():
        if name in fields:
            problem = rule(name, fields[name])
            if problem is not None:
                yield problem
        elif name in needed:
            yield Problem(f"{name}: is missing")
    yield from unknown_problems(fields, rules)


def _targets(name: str, value: object) -> Problem | None:
    if not (isinstance(value, list | tuple) and 1 <= len(value) <= MOST_TARGETS):
        return Problem(f"{name}: must be a list of 1 to {MOST_TARGETS} targets")
    found = (target_problem(f"{name}[{number}]", one) for number, one in enumerate(value))
    return next((problem for problem in found if problem is not None), None)


def target_problem(name: str, value: object) -> Problem | None:
    """What is wrong with one target, if anything is."""
    if not (isinstance(value, str) and trim(value)):
        return Problem(f"{name}: must be text that is not blank")
    problem = line_problem(name, value) or length_problem(name, value, SHORT_TEXT)
    if problem is None and read_target(value) is None:
        return Problem(
            f"{name}: no * means anything but at the end, as in /**, or ** for everything; claim the folder"
        )
    return problem


def note_problem(name: str, value: object) -> Problem | None:
    """What is wrong with a note, by the rules of a message's body."""
    return body_problem(name, value) or length_problem(name, str(value), BODY_TEXT)


def lease_problem(name: str, value: object) -> Problem | None:
    """What is wrong with a lease, in seconds."""
    seconds = as_integer(value)
    if seconds is None or not SHORTEST_LEASE <= seconds <= LONGEST_LEASE:
        return Problem(f"{name}: must be an integer from {SHORTEST_LEASE} to {LONGEST_LEASE}, in seconds")
    return None


def _offer_seconds(name: str, value: object) -> Problem | None:
    seconds = as_integer(value)
    if seconds is None or not 1 <= seconds <= LONGEST_LEASE:
        return Problem(f"{name}: must be an integer from 1 to {LONGEST_LEASE}, in seconds")
    return None


def truth_problem(name: str, value: object) -> Problem | None:
    """That something is neither true nor false."""
    return None if isinstance(value, bool) else Problem(f"{name}: must be true or false")


def _addressee(name: str, value: object) -> Problem | None:
    if not isinstance(value, Mapping):
        return Problem(f"{name}: must be an object with an owner, and an agent_id if it is for one agent")
    given = {part: one for part, one in value.items() if one is not None}
    found = [name_problem(f"{name}.owner", given.get("owner"))]
    if "agent_id" in given:
        found.append(name_problem(f"{name}.agent_id", given["agent_id"]))
    return next((problem for problem in found if problem is not None), None)


def _word(words: tuple[str, ...]) -> Rule:
    def rule(name: str, value: object) -> Problem | None:
        if isinstance(value, str) and value in words:
            return None
        return Problem(f"{name}: must be {' or '.join(words)}")

    return rule


Rule = Callable[[str, object], Problem | None]
_WANTED: Final[Mapping[str, Rule]] = {
    "targets": _targets,
    "note": note_problem,
    "mode": _word(get_args(Mode)),
    "lease_ttl": lease_problem,
    "renewal": _word(get_args(Renewal)),
    "wait": truth_problem,
    "takeover": truth_problem,
    "msg_id": ulid_problem,
    "thread": ulid_problem,
    "artifact": name_problem,
}
RENEWING: Final[Mapping[str, Rule]] = {"lease_ttl": lease_problem}
RELEASING: Final[Mapping[str, Rule]] = {"note": note_problem, "done": truth_problem}
OFFERING: Final[Mapping[str, Rule]] = {"to": _addressee, "note": note_problem, "expires_in": _offer_seconds}
ANSWERING: Final[Mapping[str, Rule]] = {"note": note_problem}
REVOKING: Final[Mapping[str, Rule]] = {"reason": note_problem}
