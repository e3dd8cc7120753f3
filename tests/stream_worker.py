"""One who reads a daemon's stream through everything: ``python -m tests.stream_worker URL``.

Each event's id is a line; it goes on after the last one until standard input ends.
"""

from __future__ import annotations

import os
import sys
import threading
import time
import urllib.request
from http.client import HTTPException


def read(url: str) -> None:
    last = 0
    while True:
        request = urllib.request.Request(f"{url}/channels/room/stream?since=0")
        if last:
            request.add_header("Last-Event-ID", str(last))
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                for line in answer:
                    if line.startswith(b"id: "):
                        last = int(line[4:])
                        print(last, flush=True)
        except (OSError, HTTPException):
            time.sleep(0.1)


if __name__ == "__main__":
    threading.Thread(target=read, args=(sys.argv[1],), daemon=True).start()
    sys.stdin.read()
    sys.stdout.flush()
    os._exit(0)
