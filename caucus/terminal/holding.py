"""A claim that is waited for, and one that is held while a command runs: renewed, watched, and given back."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import click

from caucus.agents.wording import targets
from caucus.terminal.asking import Asker, Refused, in_room
from caucus.terminal.exits import LOST, UNREACHABLE, Failed
from caucus.terminal.following import follow
from caucus.terminal.here import Here

LONGEST_WAIT: Final = 50
"""So many seconds a request waits at most."""
TERM_SECONDS: Final = 10.0
"""So long a command has to end after it was asked to."""
LOST_KINDS: Final = frozenset({"released", "lapsed", "revoked", "taken_over", "handed_over"})
"""What is told of a claim that is not ours any more."""


def wait_for(here: Here, claim: Any) -> Any:
    """The claim once it is held; whoever is interrupted gives the place in line back. Raises `Failed`."""
    path = in_room(here.room, "claims", str(claim.claim))
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
    except BaseException:  # also SIGTERM's, and of Ctrl-C
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
        self._command: subprocess.Popen[bytes] | None = None
        self._has_ended = threading.Event()
        self._lock = threading.Lock()
        self._why = ""

    def run(self, command: Sequence[str]) -> int:
        """Run a command; its status. What ends us is passed on, and the claim is given back.

        Raises `Failed` if the claim was lost.
        """
        environment = os.environ | {
            "CAUCUS_CLAIM": str(self._claim.claim),
            "CAUCUS_FENCE": str(self._claim.fence),
        }
        before = {number: signal.signal(number, self._pass_on) for number in (signal.SIGTERM, signal.SIGHUP)}
        before[signal.SIGINT] = signal.signal(
            signal.SIGINT, self._note
        )  # the terminal sends it to the command, too
        try:
            try:
                self._command = subprocess.Popen(command, env=environment)  # noqa: S603  # it is what was asked for
            except OSError as error:
                raise Failed(f"{command[0]}: {error.strerror}", 126) from None
            for work in (self._renew, self._watch):
                threading.Thread(target=work, daemon=True).start()
            status = self._command.wait()
        finally:
            self._has_ended.set()
            for number, handler in before.items():
                signal.signal(number, handler)
            self._give_back()
        if self._why:
            raise Failed(f"the claim is lost, and so the command was ended: {self._why}", LOST)
        return status if status >= 0 else 128 - status

    def _pass_on(self, number: int, _frame: object) -> None:
        if self._command is not None:
            with suppress(OSError):
                self._command.send_signal(number)

    def _note(self, _number: int, _frame: object) -> None:
        """The command decides what becomes of it."""

    def _renew(self) -> None:
        """Renew the claim four times a lease; it is lost when nothing has been for as long as the lease."""
        lease = self._claim.lease_ttl
        asker, last = Asker(self._here.context), time.monotonic()
        while not self._has_ended.wait(min(lease / 4, max(0.5, (lease - (time.monotonic() - last)) / 3))):
            began = time.monotonic()
            try:
                asker.ask("POST", f"{self._path}/renew", {})
                last = began
            except Refused as error:
                if error.exit_code == LOST:
                    self._lose("it is not yours any more")
            except Failed as error:
                if time.monotonic() - last > lease - TERM_SECONDS / 2:
                    self._lose(f"it could not be renewed, {error.message}")

    def _watch(self) -> None:
        """Hear at once if the claim is lost; what is missed here is seen at the next renewal."""
        with suppress(Failed):
            for _, event in follow(Asker(self._here.context), [f"{self._here.room}:{self._claim.cursor}"]):
                change = event.change
                if change is not None and change.claim == self._claim.claim and change.kind in LOST_KINDS:
                    self._lose(
                        f"{change.kind} by {event.message.owner}/{event.message.agent_id}".replace("_", " ")
                    )
                if self._has_ended.is_set():
                    return

    def _lose(self, why: str) -> None:
        """End the command, once: by SIGTERM, and if that is not enough by SIGKILL."""
        with self._lock:
            if self._why or self._has_ended.is_set():
                return
            self._why = why
        if self._command is None:
            return
        with suppress(OSError):
            self._command.terminate()
        if not self._has_ended.wait(TERM_SECONDS):
            with suppress(OSError):
                self._command.kill()

    def _give_back(self) -> None:
        if self._why:
            return
        try:
            self._here.asker.ask("POST", f"{self._path}/release", {})
        except Failed as error:
            if error.exit_code in (LOST, UNREACHABLE):
                click.echo(
                    f"caucus: the claim was not given back, and ends by itself: {error.message}", err=True
                )
            else:
                raise
