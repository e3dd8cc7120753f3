"""How far a session of an agent was told what is new."""

from __future__ import annotations

from caucus.core.core import Core
from caucus.core.following import place_of_position, text_of
from caucus.model.events import NewsTold, RequestKey
from caucus.model.feed import Place
from caucus.model.records import Identity
from caucus.rules.sessions import session_key


def told_up_to(core: Core, by: Identity, session: str, channel: str) -> str | None:
    place = core.state.sessions.place(session_key(by, session, channel))
    return None if place is None else text_of(core, Place(place))


def note_told(
    core: Core, _request: RequestKey | None, now: float, by: Identity, session: str, channel: str, since: str
) -> None:
    place = None if "," in since else place_of_position(core, since)  # some of it was not read yet
    key = session_key(by, session, channel)
    before = core.state.sessions.place(key)
    if place is not None and (before is None or before < place.at):
        core.record(NewsTold(core.clock.instant(now), key, place.at), now)
