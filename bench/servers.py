"""The servers that are measured: daemons started here, or one that runs already."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TOKENS = {"alice": "bench-alice", "bob": "bench-bob"}
"""The write tokens that the load uses, by owner."""
ENVIRONMENT = {
    "PORT": "0",
    "CAUCUS_TOKENS": ",".join(f"{token}:{owner}-agent:{owner}" for owner, token in TOKENS.items()),
    "CAUCUS_MAX_POSTS_PER_MINUTE": "1000000000",
    "CAUCUS_GLOBAL_MAX_POSTS_PER_MINUTE": "1000000000",
    "CAUCUS_MAX_CHANNEL_CREATES_PER_MINUTE": "1000000",
    "CAUCUS_MAX_MESSAGES_PER_CHANNEL": "1000000000",
    "CAUCUS_MAX_STREAMS": "10000",
}
"""What a server is started with: every budget is raised, none is switched off."""
DAEMON = str(Path(sys.executable).with_name("caucus-backbone"))


class Server:
    """One server under measurement, as a context: started on entry unless it is a URL, stopped on exit.

    :param target: a command, which must print its URL as the last word of a line, or a URL. Its log,
        access lines included, goes to a file and not to a terminal.
    """

    def __init__(self, name: str, target: str | Sequence[str], environment: dict[str, str] | None = None):
        self.name = name
        self.url = target if isinstance(target, str) and target.startswith("http") else ""
        self._command = shlex.split(target) if isinstance(target, str) else list(target)
        self._environment = {**os.environ, **ENVIRONMENT, **(environment or {})}
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        if not self.url:
            self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.communicate()

    def _start(self) -> None:
        with Path(os.devnull).open("w") as log:
            process = self._process = subprocess.Popen(
                self._command, env=self._environment, stdout=subprocess.PIPE, stderr=log, text=True
            )
        assert process.stdout is not None
        for line in process.stdout:
            words = line.split()
            if words and words[-1].startswith("http://"):
                self.url = words[-1]
                return
        raise SystemExit(f"{shlex.join(self._command)}: it ended without a URL")

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()

    @property
    def port(self) -> int:
        return int(self.url.rstrip("/").rpartition(":")[2])

    def resident(self) -> int:
        """Its resident memory, in bytes; 0 for a server that was not started here."""
        if self._process is None:
            return 0
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmRSS:")[1].split()[0]) * 1024

    def ask(self, path: str, body: object, owner: str = "bob") -> Any:
        """The JSON answer to one POST."""
        request = urllib.request.Request(self.url + path, json.dumps(body).encode())
        request.add_header("Authorization", f"Bearer {TOKENS[owner]}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def make_channel(self, channel: str) -> None:
        self.ask("/channels", {"channel": channel})


def seconds_to_start(target: Sequence[str]) -> float:
    """From the start of a process to its first URL, which it prints once it accepts connections."""
    began = time.monotonic()
    with Server("started", target):
        return time.monotonic() - began
