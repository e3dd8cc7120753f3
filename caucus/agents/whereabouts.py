"""Where a file lies, as claims name it: people's checkouts have other folders above them."""

from __future__ import annotations

from posixpath import isabs, join, normpath
from typing import Final

from attrs import frozen

from caucus.model.text import CONTROL

ENDS: Final = 24
"""So many of a path's ends are looked for, at most; a claim has up to 32 targets, and so has a question."""


@frozen
class Where:
    """A file: the parts of its path below some folder that is known, and how many of them lie above that.

    ``targets`` is what claims may call it: the path, and the path without each of its leading folders.
    """

    parts: tuple[str, ...]
    above: int
    targets: tuple[str, ...]

    @classmethod
    def of(cls, cwd: str, path: str) -> Where:
        """The file at a path, which is taken from the folder ``cwd`` where it does not begin at the root."""
        path, cwd = path.replace("\\", "/"), cwd.replace("\\", "/")
        whole = normpath(path if isabs(path) else join(cwd, path))
        parts = _parts(whole)
        base = _parts(normpath(cwd)) if cwd else ()
        above = len(base) if base and parts[: len(base)] == base else 0
        first = max(0, len(parts) - ENDS)
        ends = ["/".join(parts[number:]) for number in range(first, len(parts))]
        below = "/".join(parts[above:])
        named = [*ends, *([f"./{below}"] if below else []), *([whole] if isabs(whole) else [])]
        fit = [one for one in dict.fromkeys(named) if "*" not in one and len(one) <= 1024]
        return cls(parts, above, tuple(one for one in fit if one and not CONTROL.search(one)))

    def lies_in(self, target: str) -> bool:
        """Whether a claim's target is the file or a folder that it lies in.

        A folder above the one that is known is each machine's own: ``src/`` is not where ``/src/shop`` lies.
        """
        if target == "**":
            return True
        is_folder = target.endswith(("/", "/**"))
        named = _parts(normpath(target.removesuffix("**")))
        if not named:
            return False
        starts = (0,) if isabs(target) else range(max(0, len(self.parts) - len(named)) + 1)
        for start in starts:
            end = start + len(named)
            if self.parts[start:end] == named and end > self.above and (is_folder or end == len(self.parts)):
                return True
        return False


def _parts(path: str) -> tuple[str, ...]:
    return tuple(part for part in path.split("/") if part not in ("", ".", ".."))
