"""A claim that is waited for, and one that is held while a command runs: renewed, watched, and given back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import click

from caucus.agents.wording import targets, who
from caucus.terminal.asking import Asker, Refused, in_room
from caucus.terminal.exits import LOST, Failed
from caucus.terminal.following import follow
from caucus.terminal.here import Here
from caucus.terminal.job import Job

LONGEST_WAIT: Final = 50
"""So many seconds a request waits at most."""
TERM_SECONDS: Final = 10.0
"""So long a command has to end after it was asked to."""
PASSED_ON: Final[tuple[int, ...]] = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
LOST_KINDS: Final = frozenset({"released", "lapsed", "revoked", "taken_over", "handed_over"})
"""What is told of a claim that is not ours any more."""


def wait_for(here: Here, claim: Any) -> Any:
    """The claim once it is held; whoever is interrupted gives the place in line back. Raises `Failed`."""
    path = in_room(here.room, "claims", str(claim.claim))
    if claim.state == "waiting":
        click.echo(f"caucus: waiting, {claim.ahead} ahead: #{claim.claim} {targets(claim)}", err=True)
    try:
        while claim.state == "waiting":
            wait = max(1, min(LONGEST_WAIT, claim.lease_ttl // 4))
            if claim.renewal == "explicit":
                here.asker.ask("POST", f"{path}/renew", {})
            claim = here.asker.ask("GET", path, query=[("wait", str(wait))], wait=wait)
    except Refused as error:
        if error.exit_code == LOST:
            raise Failed(f"the place in line is lost: #{claim.claim} {targets(claim)}", LOST) from None
        raise
    except (KeyboardInterrupt, SystemExit):
        with suppress(Failed):
            here.asker.ask("POST", f"{path}/release", {"done": False})
        raise
    return claim


class Held:
    """A claim that is held, with explicit renewal: one thread renews it, one hears if it is lost."""

    def __init__(self, here: Here, claim: Any) -> None:
        self._here = here
        self._claim = claim
        self._path = in_room(here.room, "claims", str(claim.claim))
        self._job: Job | None = None
        self._has_ended, self._is_lost = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._why = ""

    def run(self, command: Sequence[str]) -> int:
        """Run a command; its status. What ends us is passed on, and the claim is given back.

        Raises `Failed` if the claim was lost.
        """
        before: dict[int, Any] = {}
        said = {"CAUCUS_CLAIM": str(self._claim.claim), "CAUCUS_FENCE": str(self._claim.fence)}
        try:
            for number in PASSED_ON:
                before[number] = signal.signal(number, self._pass_on)
            try:
                self._job = Job(command, os.environ | said)
            except OSError as error:
                raise Failed(f"{command[0]}: {error.strerror}", 126) from None
            for work in (self._renew, self._watch):
                threading.Thread(target=work, daemon=True).start()
            status = self._job.wait()
        finally:
            self._has_ended.set()
            self._give_back()
            for number, handler in before.items():
                signal.signal(number, handler)
        if self._why:
            self._is_lost.wait(TERM_SECONDS + 1)  # what the command has left behind is ended as well
            raise Failed(f"the claim is lost, and so the command was ended: {self._why}", LOST)
        return status

    def _pass_on(self, number: int, _frame: object) -> None:
        if self._job is not None and not self._has_ended.is_set():
            self._job.signal(number)

    def _renew(self) -> None:
        """Renew the claim four times a lease; it is lost when nobody answers for nearly as long as that.

        Nobody else can have it before that is over: the command has ended by then, or is being killed.
        """
        lease = self._claim.lease_ttl
        most = lease - min(TERM_SECONDS, lease / 4)
        asker, last = Asker(self._here.context, tries=1), time.monotonic()
        while True:
            left = most - (time.monotonic() - last)
            if self._has_ended.wait(max(0.2, min(lease / 4, left / 2))):
                return
            began = time.monotonic()
            asker.seconds = max(0.2, min(lease / 4, most - (began - last)))
            try:
                asker.ask("POST", f"{self._path}/renew", {})
                last = began
            except Failed as error:
                if error.exit_code == LOST:
                    self._lose("it is not yours any more")
                elif time.monotonic() - last >= most - 0.5:
                    self._lose(f"it could not be renewed, {error.message}")

    def _watch(self) -> None:
        """Hear at once if the claim is lost; what is missed here is seen at the next renewal."""
        own = f"{self._here.room}:{self._claim.cursor}"
        with suppress(Failed):
            for _, event in follow(Asker(self._here.context), [own], is_quiet=True):
                if self._has_ended.is_set():
                    return
                change = event.change
                if change is not None and change.claim == self._claim.claim and change.kind in LOST_KINDS:
                    by = who(event.message.agent_id, event.message.owner)
                    self._lose(f"{change.kind.replace('_', ' ')} by {by}")

    def _lose(self, why: str) -> None:
        """End the command, once: by SIGTERM, and if that is not enough by SIGKILL."""
        with self._lock:
            if self._why or self._has_ended.is_set() or self._job is None:
                return
            self._why = why
        self._job.end(TERM_SECONDS)
        self._is_lost.set()

    def _give_back(self) -> None:
        if self._why:
            return
        try:
            self._here.asker.ask("POST", f"{self._path}/release", {})
        except Failed as error:
            told = f"the claim was not given back, and ends by itself: {error.message}"
            click.echo(f"caucus: {told}", err=True)
