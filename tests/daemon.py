"""Daemons as processes, for tests."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any

BIN = Path(sys.executable).parent
TAC = Path(__file__).parent.parent / "caucus.tac"
SECONDS = 20
WAYS: dict[str, list[str]] = {
    "caucus-backbone": [str(BIN / "caucus-backbone")],
    "twist": [str(BIN / "twist"), "caucus"],
    "twistd": [str(BIN / "twistd"), "--pidfile=", "-noy", str(TAC)],
}


class Daemon:
    """A started process, with what it wrote."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: Path) -> None:
        inherited = {
            name: value
            for name, value in os.environ.items()
            if name == "CAUCUS_HTTP" or not name.startswith(("CAUCUS_", "PORT", "HOST"))
        }
        self._stderr = tempfile.TemporaryFile("w+", dir=folder)  # a pipe that nobody reads would stop it
        self.process = subprocess.Popen(
            command,
            env={**inherited, "PORT": "0", **environment},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            text=True,
        )
        self.lines: list[str] = []

    def until_listening(self, listeners: int = 1) -> list[str]:
        """The URLs that it announces."""
        urls = []
        for line in self._stdout:
            self.lines.append(line)
            found = re.fullmatch(r"caucus-backbone listening on (\S+)\n", line)
            if found:
                urls.append(found[1])
            if len(urls) == listeners:
                return urls
        raise AssertionError(f"it never listened: {self.lines} {self.errors()}")

    @property
    def _stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout

    def end(self, how: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Status, standard output and standard error after a signal; 5 s is the promise."""
        self.process.send_signal(how)
        out, _ = self.process.communicate(timeout=5)
        return self.process.returncode, "".join(self.lines) + out, self.errors()

    def run_out(self) -> tuple[int, str, str]:
        """Status, standard output and standard error of what ends by itself."""
        out, _ = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, self.errors()

    def errors(self) -> str:
        """What it wrote to standard error so far."""
        self._stderr.seek(0)
        return self._stderr.read()


class Start:
    """Starts daemons, and kills what is left of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Daemon] = []

    def __call__(self, way: str, *arguments: str, **environment: str) -> Daemon:
        return self.command([*WAYS[way], *arguments], environment)

    def command(self, command: Sequence[str], environment: dict[str, str] | None = None) -> Daemon:
        """Start whatever the command starts."""
        daemon = Daemon(command, environment or {}, self.folder)
        self.started.append(daemon)
        return daemon


def ask(
    url: str, body: object = None, token: str = "", headers: Mapping[str, str] = MappingProxyType({})
) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, dict(headers))
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=SECONDS) as answer:
        return json.load(answer)
