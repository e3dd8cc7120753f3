"""What a doctor looks at: each check says what it found, and what to do if that is not well."""

from __future__ import annotations

import difflib
import os
import re
import shutil
import subprocess
import sys
import time
from email.utils import parsedate_to_datetime
from importlib.metadata import packages_distributions
from json import loads
from pathlib import Path
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from caucus.agents.quoting import name
from caucus.agents.wording import who
from caucus.harnesses.harness import TOKEN, Harness, Told, command
from caucus.terminal import contexts
from caucus.terminal.asking import in_room
from caucus.terminal.exits import Failed
from caucus.terminal.here import Here

OURS: Final = "caucus-backbone"
MOST_SECONDS_APART: Final = 5
SESSION: Final = "caucus-doctor"
"""The session that a round through a hook is of."""


_ADDRESS: Final = re.compile(
    r"(https?://[^\s'\"\\\\]+?)/(?:mcp|hooks/\w+/[\w.]+)(?:\?([^\s'\"\\\\]*))?(?=['\"])"
)
"""The address of a door in a file of a harness, and its query."""
_TOLD: Final = re.compile(r'^const told.*"url": "(.*?)", "room": "(.*?)"', re.MULTILINE)
"""What a plugin of ours is told."""


class Check(NamedTuple):
    """What was looked at, whether it is well, what was found, and what to do, if something is."""

    what: str
    is_good: bool
    found: str
    advice: str = ""


def of_command() -> list[Check]:
    """Which command this is, and whether something else has its name."""
    found = [*_on_the_path("caucus")]
    mine = os.path.realpath(sys.argv[0])
    advice = ""
    if found and os.path.realpath(found[0]) != mine:
        advice = f"{found[0]} is another, and is the one that is found first"
    elif len(found) > 1:
        advice = f"further on the path, and not used: {', '.join(found[1:])}"
    checks = [Check("command", True, mine, advice)]
    others = sorted(set(packages_distributions().get("caucus", ())) - {OURS})
    if others:
        advice = f"install {OURS} into an environment of its own, as pipx install {OURS} does"
        checks.append(Check("packages", False, f"{', '.join(others)} has files in the same place", advice))
    return checks


def _on_the_path(program: str) -> list[str]:
    folders = dict.fromkeys(os.environ.get("PATH", "").split(os.pathsep))
    found = [shutil.which(program, path=folder) for folder in folders if folder]
    return list({os.path.realpath(one): one for one in found if one}.values())


def of_configuration() -> list[Check]:
    """Whether others can read the tokens that are kept."""
    file = contexts.path(os.environ)
    if contexts.is_open_to_others(file):
        return [Check("contexts", False, f"others can read {file}", f"chmod 600 {file}")]
    return []


def of_backbone(here: Here) -> list[Check]:
    """Whether the backbone is reached, and takes what is asked of it."""
    url = here.asker.url
    began = time.monotonic()
    try:
        here.asker.ask("GET", "/healthz")
    except Failed as error:
        return [Check("reach", False, error.message, "is the address right, and the daemon running?")]
    checks = [Check("reach", True, f"{url} answers within {1000 * (time.monotonic() - began):.0f} ms")]
    try:
        here.asker.ask("GET", "/readyz")
    except Failed as error:
        checks.append(Check("writes", False, error.message, "see the daemon's log, and its disk"))
    checks += [*_clock(here), *_token(here), *_room(here)]
    return checks


def _clock(here: Here) -> list[Check]:
    try:
        there = parsedate_to_datetime(here.asker.date).timestamp()
    except ValueError:
        return []
    apart = abs(there - time.time())
    if apart <= MOST_SECONDS_APART:
        return [Check("clock", True, f"within {MOST_SECONDS_APART} s of the backbone's")]
    advice = "times that are shown are the backbone's; leases are measured there, and not affected"
    return [Check("clock", True, f"{apart:.0f} s away from the backbone's", advice)]


def _token(here: Here) -> list[Check]:
    try:
        agent_id, owner = here.me
    except Failed as error:
        return [Check("token", False, error.message)]
    return [Check("token", True, f"you are {who(agent_id, owner)}")]


def _room(here: Here) -> list[Check]:
    try:
        if not here.named:
            rooms = here.asker.ask("GET", "/channels").channels
            shown = ", ".join(name(one.channel) for one in rooms[-8:]) or "none"
            advice = "" if len(rooms) == 1 else "set CAUCUS_ROOM, or caucus login --room"
            return [Check("room", len(rooms) == 1, f"none is set; there are: {shown}", advice)]
        head = here.asker.ask("GET", in_room(here.named)).head
    except Failed as error:
        return [Check("room", False, error.message, "caucus rooms lists them, and makes one")]
    return [Check("room", True, f"{name(here.named)}, {head} posts")]


def of_harness(here: Here, known: Harness, home: Path, *, is_set_up: bool, is_reached: bool) -> list[Check]:
    """Whether a harness is there and set up for this backbone, and what it would be told."""
    what, how = known.name, f"caucus setup {known.name}"
    checks = []
    program = shutil.which(known.program)
    if program is None:
        checks.append(Check(what, True, f"there is no {known.program} on the path", "see PATH"))
    if not is_set_up:
        return [
            *checks,
            Check(what, False, "it is not set up (no plugin is looked at)", how),
        ]
    told = Told(here.asker.url, here.named)
    elsewhere = sorted(_addresses(known, home) - {(told.url, told.room)})
    if elsewhere:
        there = ", ".join(f"{url} {room}" for url, room in elsewhere)
        checks.append(Check(what, False, f"it is set up for another backbone or room: {there}", how))
    else:
        checks.append(Check(what, True, f"it is set up for {told.mcp()}"))
    if not os.environ.get(TOKEN):
        start = f"start it with caucus run {known.program}"
        checks.append(Check(what, True, f"{TOKEN} is not in this environment", start))
    if is_reached and known.start is not None and not elsewhere:
        checks.append(_round(here, what, told.hook(*known.start)))
    return checks


def _addresses(known: Harness, home: Path) -> set[tuple[str, str]]:
    """The backbones and rooms that are named in what is ours in a harness's files."""
    found: set[tuple[str, str]] = set()
    for change in known.plan(home, os.environ, None):
        before, after = ((text or "").splitlines() for text in (change.before, change.after))
        ours = "\n".join(line[2:] for line in difflib.ndiff(before, after) if line.startswith("- "))
        for url, query in _ADDRESS.findall(ours):
            found.add((url, dict(parse_qsl(query)).get("room", "")))
        found |= {(loads(f'"{url}"'), room) for url, room in _TOLD.findall(ours)}
    return found


def _round(here: Here, what: str, address: str) -> Check:
    """What a session that begins is told, asked for by the very command that a harness runs."""
    environment = os.environ | {TOKEN: here.context.token}
    began = time.monotonic()
    done = subprocess.run(  # noqa: S603  # it is ours
        ["/bin/sh", "-c", command(address)],
        input=f'{{"session_id":"{SESSION}","sessionId":"{SESSION}","sessionID":"{SESSION}"}}'.encode(),
        env=environment,
        capture_output=True,
        check=False,
    )
    took = f"{1000 * (time.monotonic() - began):.0f} ms"
    try:
        answer = loads(done.stdout)
    except ValueError:
        reason = done.stderr.decode(errors="replace").strip() or "no answer"
        return Check(what, False, f"its hook is not answered: {name(reason)}", "is curl installed?")
    return Check(what, True, f"its hook is answered within {took}, {len(str(answer))} characters")
