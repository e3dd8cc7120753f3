"""The daemon, with an eye on its garbage collector.

    python -m bench.watched FILE [options of caucus-backbone]

When it ends, it writes to FILE, as JSON and in milliseconds, the longest pause of any collection,
and how long a full one takes then.
"""

from __future__ import annotations

import atexit
import gc
import json
import sys
import time
from pathlib import Path

from caucus import tap

_began = 0.0
_longest = 0.0


def _watch(phase: str, info: dict[str, int]) -> None:
    global _began, _longest  # noqa: PLW0603
    if phase == "start":
        _began = time.perf_counter()
    elif gc.get_freeze_count():  # it has started
        _longest = max(_longest, time.perf_counter() - _began)


def _tell(file: Path) -> None:
    longest = _longest
    began = time.perf_counter()
    gc.collect()
    full = time.perf_counter() - began
    file.write_text(json.dumps({"longest": round(longest * 1000, 3), "full": round(full * 1000, 3)}))


def main() -> None:
    file = Path(sys.argv.pop(1))
    gc.callbacks.append(_watch)
    atexit.register(_tell, file)
    tap.main()


if __name__ == "__main__":
    main()
