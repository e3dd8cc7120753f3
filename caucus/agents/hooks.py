"""What is answered when something happens in an agent's session."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from attrs import frozen
from twisted.internet.defer import Deferred, TimeoutError as Late
from twisted.internet.interfaces import IReactorTime

from caucus.agents import wording
from caucus.agents.advice import refused
from caucus.agents.desk import Desk, is_by, is_yours
from caucus.agents.dialects import DIALECTS, Dialect, Moment, Verdict
from caucus.agents.posts import Post
from caucus.agents.quoting import DATA, in_line
from caucus.agents.whereabouts import Where
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
OWN: Final = 50
"""So many messages of its own a session does not look through again."""
MOST_YOURS: Final = 8

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

    def may(self, session: tuple[str, ...], now: float) -> bool:
        """Whether a session that can wait may be told."""
        told = self._told.get(session)
        return told is None or now - told >= EVERY

    def tells(self, session: tuple[str, ...], now: float) -> None:
        """A session is told."""
        self._told[session] = now
        self._told.move_to_end(session)
        if len(self._told) > self._most:
            self._told.popitem(last=False)


@frozen
class Hook:
    """Answers hooks of one agent.

    :param desk: what is told to whom.
    :param promises: gains what is to be done once the answer was written to a connection that lives.
    :param throttle: how often news are told.
    :param clock: measures time.
    """

    desk: Desk
    promises: list[Callable[[], None]]
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
            self.promises.clear()
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
        if sessions is not None and since != known:
            self.promises.append(lambda: _note(sessions, self, moment, name, since))
        return text

    async def _since(self, moment: Moment, room: Descriptor, known: str) -> tuple[str, str]:
        """What others have posted since, and what became the agent's; and the position after it."""
        by, now = self.desk.by, self.clock.seconds()
        session = (by.agent_id, by.owner, moment.session, room.channel)
        if moment.kind == "tool" and not self.throttle.may(session, now):
            return "", known
        page, skipped = await self.desk.all_since(room, known)
        found = [one for one in page.events if isinstance(one, FeedMessage)]
        yours = [f"#{one.change.claim} is yours now." for one in found if one.change and is_yours(one, by)]
        news = [Post(one.channel, one.cursor, one.message_json) for one in found if not is_by(one, by)]
        if not (news or yours or skipped):
            return "", page.since if len(found) >= OWN else known
        self.throttle.tells(session, now)
        parts = [f"News in the room {room.channel}. {DATA}", *yours[-MOST_YOURS:]]
        if skipped:
            parts.append(skipped)
        left = BUDGET - sum(len(one) + 1 for one in parts)
        if news:
            parts.append(self.desk.tell(news, left))
        return "\n".join(parts), page.since

    async def _guard(self, spoken: Dialect, moment: Moment, room: Descriptor, guard: Verdict) -> Answer:
        """Whether somebody else holds what is about to be changed."""
        if guard == "off" or not moment.paths:
            return {}
        for path in moment.paths:
            holders = await self._holders(room.channel, moment.cwd, path)
            if holders:
                told = _told(path, holders)
                return spoken.denied(moment, told) if guard == "deny" else spoken.told(moment, told)
        return {}

    async def _holders(self, room: str, cwd: str, path: str) -> list[Claim]:
        """The claims of others that lie on a path."""
        claims, where = IClaims(self.desk.backbone, None), Where.of(cwd, path)
        if claims is None or not where.targets:
            return []
        held: list[Claim] = await claims.list_claims(room, state="held", targets=where.targets)
        found = [one for one in held if any(map(where.lies_in, one.targets))]
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
        lines = [f"#{one.claim} {wording.targets(one)}" for one in held]
        kept = lines[:8]
        while len(kept) > 1 and sum(map(len, kept)) > BUDGET // 2:
            kept.pop()
        more = f" and {len(lines) - len(kept)} more" if len(kept) < len(lines) else ""
        shown = "; ".join(kept)[: BUDGET - 200]
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
