"""`make check`: no module of more than 400 lines."""

from __future__ import annotations

import sys
from pathlib import Path

MOST_LINES = 400
ROOT = Path(__file__).parent.parent


def main() -> int:
    problems = []
    for folder in ("caucus", "twisted", "tests", "scripts", "bench"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            lines = len(path.read_text(encoding="utf-8").splitlines())
            if lines > MOST_LINES:
                problems.append(f"{path.relative_to(ROOT)}: {lines} lines, at most {MOST_LINES} make a room")
    for name in ("twisted/__init__.py", "twisted/plugins/__init__.py"):
        if (ROOT / name).exists():
            problems.append(f"{name}: would hide Twisted itself")
    print("\n".join(problems) or "every room is small enough")
    return bool(problems)


if __name__ == "__main__":
    sys.exit(main())
