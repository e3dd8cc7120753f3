"""`make check`: no module of more than 400 lines, and no circle of imports among any modules."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

MOST_LINES = 400
ROOT = Path(__file__).parent.parent


def imported(path: Path, modules: Mapping[str, Path]) -> set[str]:
    """The modules of ours that a module imports: for types and within functions, too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = (f"{node.module}.{alias.name}" for alias in node.names)
            found |= {name if name in modules else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found & modules.keys()


def circles() -> Iterator[str]:
    """Every module of ours that is reached from itself by imports."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in (ROOT / "caucus").rglob("*.py")
    }
    imports = {name: imported(path, modules) for name, path in sorted(modules.items())}
    for name, direct in imports.items():
        reached, waiting = set(), list(direct)
        while waiting:
            one = waiting.pop()
            if one not in reached:
                reached.add(one)
                waiting += imports[one]
        if name in reached:
            yield f"{name}: is reached from itself by imports"


def main() -> int:
    problems = list(circles())
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
