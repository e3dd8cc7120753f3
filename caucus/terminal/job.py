"""A command as a job of its own: what ends it ends all that it has started, and it has the terminal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress


class Job:
    """A command in a process group of its own, as a shell's job is. Raises `OSError` if it cannot be started.

    If we have the terminal, it gets that: Ctrl-C and Ctrl-Z are for it. When it stops, so do we, and go on
    with it when our shell lets us.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._terminal = _terminal_of_ours()
        self._process = subprocess.Popen(command, env=environment, process_group=0)  # noqa: S603
        self._give(self._process.pid)

    def signal(self, number: int) -> None:
        """Send a signal to all that belongs to it; one that is stopped goes on, to get it."""
        with suppress(OSError):
            os.killpg(self._process.pid, number)
        with suppress(OSError):
            os.killpg(self._process.pid, signal.SIGCONT)

    def end(self, seconds: float) -> None:
        """End all that belongs to it: by SIGTERM, and what is left after so many seconds by SIGKILL."""
        self.signal(signal.SIGTERM)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            try:
                os.killpg(self._process.pid, 0)
            except OSError:
                return
            time.sleep(0.05)
        self.signal(signal.SIGKILL)

    def wait(self) -> int:
        """Wait until the command has ended; its status, or 128 and the signal that has ended it."""
        try:
            while True:
                _, status = os.waitpid(self._process.pid, os.WUNTRACED)
                if not os.WIFSTOPPED(status):
                    code = os.waitstatus_to_exitcode(status)
                    self._process.returncode = code
                    return code if code >= 0 else 128 - code
                self._give(os.getpgrp())
                os.kill(os.getpid(), signal.SIGSTOP)
                self._give(self._process.pid)
                with suppress(OSError):
                    os.killpg(self._process.pid, signal.SIGCONT)
        finally:
            self._give(os.getpgrp())

    def _give(self, group: int) -> None:
        """Give the terminal to a group, which we may though we do not have it any more."""
        if self._terminal is None:
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
        try:
            with suppress(OSError):
                os.tcsetpgrp(self._terminal, group)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _terminal_of_ours() -> int | None:
    """The terminal that we are in the foreground of, if there is one."""
    try:
        descriptor = sys.stdin.fileno()
        return descriptor if os.tcgetpgrp(descriptor) == os.getpgrp() else None
    except (AttributeError, OSError, ValueError):
        return None
