"""What is answered when something happens in an agent's session."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from posixpath import join, normpath
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred, TimeoutError as Late
from twisted.internet.interfaces import IReactorTime

from caucus.agents import wording
from caucus.agents.advice import refused
from caucus.agents.desk import Desk, is_by
from caucus.agents.dialects import DIALECTS, Dialect, Moment, Verdict
from caucus.agents.posts import Post
from caucus.agents.quoting import DATA, in_line
from caucus.errors import CaucusError
from caucus.interfaces import IClaims, ISessions
from caucus.model.claims import Claim
from caucus.model.feed import FeedMessage
from caucus.model.records import Descriptor

BUDGET: Final = 4000
"""So many characters are told at once."""
SECONDS: Final = 2.0
"""An answer that is not there by then is none: a harness waits for it."""
EVERY: Final = 15.0
"""After a tool, news are told at most once in so many seconds: each costs the model."""
SUFFIXES: Final = 32
"""A claim is looked for on a path and on so many of its ends, at most."""

Answer = dict[str, Any]


@frozen
class Asked:
    """How a hook is set up: the room, what becomes of an edit, and whether what is held is reminded of."""

    room: str = ""
    guard: Verdict = "off"
    reminds: bool = False


class Throttle:
    """When each session was told of news last, of those that were told so lately."""

    def __init__(self, most: int = 1024) -> None:
        self._most = most
        self._told: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def lets(self, session: tuple[str, ...], now: float, *, is_patient: bool) -> bool:
        """Whether a session is told now, which it is then taken to be. One that is patient can wait."""
        told = self._told.get(session)
        if is_patient and told is not None and now - told < EVERY:
            return False
        self._told[session] = now
        self._told.move_to_end(session)
        if len(self._told) > self._most:
            self._told.popitem(last=False)
        return True


@frozen
class Hook:
    """Answers hooks of one agent.

    :param desk: what is told to whom.
    :param after: has something done once the answer was written to a connection that lives.
    :param throttle: how often news are told.
    :param clock: measures time.
    """

    desk: Desk
    after: Callable[[Callable[[], None]], None]
    throttle: Throttle
    clock: IReactorTime

    async def answer(self, dialect: str, event: str, payload: object, asked: Asked) -> Answer:
        """What a harness is answered: an empty object for nothing to say, also if that is late."""
        spoken = DIALECTS.get(dialect)
        moment = None if spoken is None or not isinstance(payload, dict) else spoken.read(event, payload)
        if spoken is None or moment is None:
            return {}
        answering = Deferred.fromCoroutine(self._answer(spoken, moment, asked))
        try:
            return await answering.addTimeout(SECONDS, self.clock)
        except Late:
            return {}

    async def _answer(self, spoken: Dialect, moment: Moment, asked: Asked) -> Answer:
        try:
            room = await self.desk.room(asked.room)
            if moment.kind == "edit":
                return await self._guard(spoken, moment, room, asked.guard)
            if moment.kind == "stop":
                return await self._remind(spoken, moment, room) if asked.reminds else {}
            text = await self._news(moment, room)
        except CaucusError as error:
            # Whoever has set it up is told once; later it would only be in the agent's way.
            text = f"Caucus: {refused(error)}" if moment.kind == "start" else ""
        return spoken.told(moment, text) if text else {}

    async def _news(self, moment: Moment, room: Descriptor) -> str:
        """What is new to a session; all that it needs to know if nothing is known of it, or it begins."""
        sessions = ISessions(self.desk.backbone, None)
        name, by = room.channel, self.desk.by
        known = None if sessions is None else await sessions.told_up_to(by, moment.session, name)
        if known is None or moment.kind == "start":
            text, since = await self.desk.briefing(room, known, BUDGET)
        else:
            text, since = await self._since(moment, room, known)
        if sessions is not None and text and since != known:
            self.after(lambda: _note(sessions, self, moment, name, since))
        return text

    async def _since(self, moment: Moment, room: Descriptor, known: str) -> tuple[str, str]:
        """What others have posted since, and the position after it."""
        page, skipped = await self.desk.all_since(room, known)
        by = self.desk.by
        news = [
            Post(one.channel, one.cursor, one.message_json)
            for one in page.events
            if isinstance(one, FeedMessage) and not is_by(one, by)
        ]
        session = (by.agent_id, by.owner, moment.session, room.channel)
        if not news or not self.throttle.lets(
            session, self.clock.seconds(), is_patient=moment.kind == "tool"
        ):
            return "", known
        parts = [f"News in the room {room.channel}. {DATA}", *([skipped] if skipped else [])]
        left = BUDGET - sum(len(one) + 1 for one in parts)
        return "\n".join([*parts, self.desk.tell(news, left)]), page.since

    async def _guard(self, spoken: Dialect, moment: Moment, room: Descriptor, guard: Verdict) -> Answer:
        """Whether somebody else holds what is about to be changed."""
        if guard == "off" or not moment.paths:
            return {}
        for path in moment.paths:
            holders = await self._holders(room.channel, join(moment.cwd, path))
            if holders:
                told = _told(path, holders)
                return spoken.denied(moment, told) if guard == "deny" else spoken.told(moment, told)
        return {}

    async def _holders(self, room: str, path: str) -> list[Claim]:
        """The claims of others that lie on a path, or on an end of it: what lies above is each machine's."""
        claims, targets = IClaims(self.desk.backbone, None), ends_of(path)
        if claims is None or not targets:
            return []
        found: list[Claim] = await claims.list_claims(room, state="held", targets=targets)
        others = [one for one in found if not self._is_own(one)]
        if len(others) < len(found):  # it holds it too: what is shared with it is in nobody's way
            others = [one for one in others if one.mode == "exclusive"]
        return others

    def _is_own(self, claim: Claim) -> bool:
        """Whether a claim is the agent's; one of the older operation is its owner's."""
        by = self.desk.by
        return claim.owner == by.owner and (claim.kind == "plain" or claim.agent_id == by.agent_id)

    async def _remind(self, spoken: Dialect, moment: Moment, room: Descriptor) -> Answer:
        """What the agent still holds."""
        claims = IClaims(self.desk.backbone, None)
        if claims is None or moment.is_again:
            return {}
        by = self.desk.by
        held: list[Claim] = await claims.list_claims(
            room.channel, owner=by.owner, agent_id=by.agent_id, state="held"
        )
        if not held:
            return {}
        shown = "; ".join(f"#{one.claim} {wording.targets(one)}" for one in held[:8])
        more = f" and {len(held) - 8} more" if len(held) > 8 else ""
        reason = f"You still hold {shown}{more}. Release what is done, or hand it over, with `release`."
        return spoken.held_back(moment, reason)


def _note(sessions: Any, hook: Hook, moment: Moment, room: str, since: str) -> None:
    """Nothing waits for it: what could not be noted is told again."""
    sessions.note_told(hook.desk.by, moment.session, room, since).addErrback(lambda _: None)


def _told(path: str, holders: list[Claim]) -> str:
    first, *others = holders
    more = f" {len(others)} more claims lie on it." if others else ""
    what = f"{wording.holding(first)}, on {wording.targets(first)}: {in_line(first.note)}."
    told = f"Caucus: {in_line(path, 120)} is somebody else's. {what}{more}"
    return f"{told} Ask them with `post`, stand in line with `claim` and `wait`, or do something else."


def ends_of(path: str) -> tuple[str, ...]:
    """A path without each of its leading folders, longest first, as a target names a file."""
    parts = [part for part in normpath(path.replace("\\", "/")).split("/") if part not in ("", ".", "..")]
    ends = ("/".join(parts[number:]) for number in range(len(parts)))
    return tuple(one for one in ends if "*" not in one and len(one) <= 1024 and one.isprintable())[-SUFFIXES:]
