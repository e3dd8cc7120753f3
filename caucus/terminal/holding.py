"""A claim that is waited for, and one that is held while a command runs: renewed, watched, and given back."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, Final

from caucus.agents.wording import targets, who
from caucus.terminal.asking import Asker, Refused, in_room
from caucus.terminal.exits import LOST, UNREACHABLE, Failed
from caucus.terminal.following import follow
from caucus.terminal.here import Here
from caucus.terminal.job import Job
from caucus.terminal.lines import say

LONGEST_WAIT: Final = 50
"""So many seconds a request waits at most."""
TERM_SECONDS: Final = 10.0
"""So long a command has to end after it was asked to, at most, and a quarter of the lease."""
PAUSE: Final = 1.0
ENDING: Final[tuple[int, ...]] = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)
"""The signals by which somebody ends us, or means to."""
LOST_KINDS: Final = frozenset({"released", "lapsed", "revoked", "taken_over", "handed_over"})
"""What is told of a claim that is not ours any more."""


class Ending:
    """What becomes of a signal that ends us: it goes on to the command, once there is one.

    Before that it ends us at once, but for where it would leave something behind: there it is kept until
    that is over, unless it comes a second time. A signal that we are to ignore is ignored.
    """

    def __init__(self) -> None:
        self._pass_on: Callable[[int], None] | None = None
        self._is_kept = False
        self._came = 0

    @contextmanager
    def minded(self) -> Iterator[None]:
        """Mind the signals as long as this lasts."""
        before: dict[int, Any] = {}
        try:
            for number in ENDING:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    before[number] = signal.signal(number, self._come)
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Keep a signal that comes, for `end_if_it_came`."""
        self._is_kept = True
        try:
            yield
        finally:
            self._is_kept = False

    def end_if_it_came(self) -> None:
        """End now, if a signal came meanwhile. Raises `SystemExit`."""
        if self._came:
            raise SystemExit(128 + self._came)

    def goes_to(self, pass_on: Callable[[int], None] | None) -> None:
        """From now on a signal goes there, one that came meanwhile, too; or to nobody any more."""
        self._pass_on = pass_on
        if self._came and pass_on is not None:
            pass_on(self._came)

    def _come(self, number: int, _frame: object) -> None:
        came, self._came = self._came, number
        if self._pass_on is not None:
            self._pass_on(number)
        elif came or not self._is_kept:
            raise SystemExit(128 + number)


def wait_for(here: Here, claim: Any, ending: Ending) -> Any:
    """The claim once it is held; whoever is ended meanwhile gives it, or the place in line, back.

    A backbone that is away is waited for as long as the lease lasts. Raises `Failed`.
    """
    path = in_room(here.room, "claims", str(claim.claim))
    if claim.state == "waiting":
        say(f"caucus: waiting, {claim.ahead} ahead: #{claim.claim} {targets(claim)}", err=True)
    heard = time.monotonic()
    try:
        ending.end_if_it_came()
        while claim.state == "waiting":
            wait = max(1, min(LONGEST_WAIT, claim.lease_ttl // 4))
            try:
                if claim.renewal == "explicit":
                    here.asker.ask("POST", f"{path}/renew", {})
                claim = here.asker.ask("GET", path, query=[("wait", str(wait))], wait=wait)
                heard = time.monotonic()
            except Failed as error:
                if error.exit_code != UNREACHABLE or time.monotonic() - heard > claim.lease_ttl:
                    raise
                time.sleep(PAUSE)
        ending.end_if_it_came()
    except Refused as error:
        if error.exit_code == LOST:
            raise Failed(_lost_place(here, claim), LOST) from None
        raise
    except (KeyboardInterrupt, SystemExit):
        with suppress(Failed):
            here.asker.ask("POST", f"{path}/release", {"done": False})
        raise
    return claim


def _lost_place(here: Here, claim: Any) -> str:
    """Why nobody waits any more: perhaps it came by another way."""
    with suppress(Failed):
        query = [("state", "held"), *(("target", one) for one in claim.targets)]
        for one in here.asker.ask("GET", in_room(here.room, "claims"), query=query).claims:
            if (one.agent_id, one.owner) == (claim.agent_id, claim.owner):
                return f"you hold {targets(one)} as #{one.claim} by now, and wait for it no more"
    return f"the place in line is lost: #{claim.claim} {targets(claim)}"


class Held:
    """A claim that is held, with explicit renewal: one thread renews it, one hears if it is lost."""

    def __init__(self, here: Here, claim: Any, ending: Ending) -> None:
        self._here = here
        self._claim = claim
        self._ending = ending
        self._path = in_room(here.room, "claims", str(claim.claim))
        self._grace = min(TERM_SECONDS, claim.lease_ttl / 4)
        self._renewed = time.monotonic()
        self._has_ended, self._is_lost = threading.Event(), threading.Event()
        self._lock = threading.Lock()
        self._why = ""
        self._went: dict[str, Any] = {"done": False, "note": "the command was not run to its end"}

    def run(self, command: Sequence[str]) -> int:
        """Run a command; its status. What ends us is passed on, and the claim is given back.

        Raises `Failed` if the claim was lost, also if that came out in the end.
        """
        said = {"CAUCUS_CLAIM": str(self._claim.claim), "CAUCUS_FENCE": str(self._claim.fence)}
        try:
            with self._ending.kept():
                try:
                    job = Job(command, os.environ | said)
                except OSError as error:
                    raise Failed(f"{command[0]}: {error.strerror}", 126) from None
                self._ending.goes_to(job.signal)
            for work in (self._renew, self._watch):
                threading.Thread(target=work, args=(job,), daemon=True).start()
            status = job.wait()
            self._went = {"note": "done"} if status == 0 else {"done": False, "note": _told(status)}
        finally:
            self._ending.goes_to(None)
            self._has_ended.set()
            with self._ending.kept():
                self._give_back()
        if self._why:
            self._is_lost.wait(self._grace + 1)  # what the command has left behind is ended as well
            raise Failed(f"the claim is lost, and so the command was ended: {self._why}", LOST)
        return status

    def _renew(self, job: Job) -> None:
        """Renew the claim four times a lease; it is lost when that does not work for most of it.

        Nobody else can have it before the lease is over: the command was asked to end by then, and killed.
        """
        lease = self._claim.lease_ttl
        most = lease - 2 * self._grace
        asker = Asker(self._here.context, tries=1)
        while True:
            left = most - (time.monotonic() - self._renewed)
            if self._has_ended.wait(max(0.2, min(lease / 4, left / 2))):
                return
            began = time.monotonic()
            asker.seconds = max(0.2, min(lease / 4, most - (began - self._renewed)))
            try:
                asker.ask("POST", f"{self._path}/renew", {})
                self._renewed = began
            except Failed as error:
                if error.exit_code == LOST:
                    self._lose(job, "it is not yours any more")
                elif time.monotonic() - self._renewed >= most - 0.5:
                    self._lose(job, f"it could not be renewed, {error.message}")

    def _watch(self, job: Job) -> None:
        """Hear at once if the claim is lost; what is missed here is seen at the next renewal."""
        own = f"{self._here.room}:{self._claim.cursor}"
        with suppress(Failed):
            for _, event in follow(Asker(self._here.context), [own], is_quiet=True):
                if self._has_ended.is_set():
                    return
                change = event.change
                if change is not None and change.claim == self._claim.claim and change.kind in LOST_KINDS:
                    by = who(event.message.agent_id, event.message.owner)
                    self._lose(job, f"{change.kind.replace('_', ' ')} by {by}")

    def _lose(self, job: Job, why: str) -> None:
        """End the command, once: by SIGTERM, and if that is not enough by SIGKILL."""
        with self._lock:
            if self._why or self._has_ended.is_set():
                return
            self._why = why
        job.end(self._grace)
        self._is_lost.set()

    def _give_back(self) -> None:
        """Release the claim; that it was lost already is the reason why the command was not protected."""
        if self._why:
            return
        try:
            self._here.asker.ask("POST", f"{self._path}/release", self._went)
        except Failed as error:
            if error.exit_code == LOST:
                self._why = "it was when the command had ended"
                self._is_lost.set()
            else:
                say(f"caucus: the claim was not given back, and ends by itself: {error.message}", err=True)


def _told(status: int) -> str:
    """How a command has ended that did not end well."""
    if status > 128 and status - 128 in set(signal.Signals):
        return f"the command was ended by {signal.Signals(status - 128).name}"
    return f"the command ended with status {status}"
