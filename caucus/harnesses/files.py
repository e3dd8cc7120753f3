"""Changes of files that are somebody else's: merged into what is there, backed up, shown, and undone."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from caucus.terminal.contexts import write

BACKUP = ".before-caucus"
"""What a copy of a file as it was before is called, after its own name."""
_INDENT = re.compile(r"^[{\[]\s*?\n([ \t]+)\S")

Fields = dict[str, Any]


class NotMerged(Exception):
    """A file cannot be changed without harm; the text says why, and what to do by hand."""


class Change(NamedTuple):
    """A file as it is, and as it is to be; ``None`` for none."""

    path: Path
    before: str | None
    after: str | None

    def carry_out(self) -> None:
        """Change the file; as it was before the first change is kept beside it. Raises `OSError`."""
        backup = backup_of(self.path)
        if self.after is None:
            self.path.unlink(missing_ok=True)
        else:
            if self.before is not None and not backup.exists():
                write(backup, self.before, _mode(self.path))
            write(self.path, self.after, _mode(self.path))

    def forget_backup(self) -> None:
        """What was kept is not needed any more. Raises `OSError`."""
        backup_of(self.path).unlink(missing_ok=True)


def backup_of(path: Path) -> Path:
    """Where a file as it was before is kept."""
    return path.with_name(path.name + BACKUP)


def text_of(path: Path) -> str | None:
    """What a file holds. Raises `NotMerged` for what cannot be read."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise NotMerged(f"{path} is no text in UTF-8") from None
    except OSError as error:
        raise NotMerged(f"{path} cannot be read: {error.strerror}") from None


def own(path: Path, text: str | None) -> list[Change]:
    """A file that is ours alone."""
    before = text_of(path)
    return [] if before == text else [Change(path, before, text)]


def merged(path: Path, change: Callable[[Fields], None]) -> list[Change]:
    """A file of JSON with something changed in it; what becomes empty again by that is as it was.

    Raises `NotMerged` for what is no object of JSON, such as one with comments.
    """
    before = text_of(path)
    found = _decoded(path, before)
    wanted = deepcopy(found)
    change(wanted)
    if wanted == found:
        return []
    return [Change(path, before, _encoded(path, before, wanted))]


def _decoded(path: Path, text: str | None) -> Fields:
    if text is None or not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError as error:
        raise NotMerged(f"{path} is no plain JSON, and was left alone: {error}") from None
    if not isinstance(found, dict):
        raise NotMerged(f"{path} holds no object, and was left alone")
    return found


def _encoded(path: Path, before: str | None, wanted: Fields) -> str | None:
    """The text of a file: as it was before, to the byte, if it says the same again."""
    kept = text_of(backup_of(path))
    if kept is not None and pruned(_decoded(backup_of(path), kept)) == pruned(wanted):
        return kept
    if not wanted and kept is None:
        return None
    indent = _INDENT.match(before or "")
    return json.dumps(wanted, indent=indent[1] if indent else 2, ensure_ascii=False) + "\n"


def pruned(found: object) -> object:
    """What is said, without what is empty."""
    if isinstance(found, dict):
        inner = {name: pruned(value) for name, value in found.items()}
        return {name: value for name, value in inner.items() if value not in ({}, [])}
    return found


def put(found: Fields, value: object, *path: str) -> None:
    """Put a value where a path of names leads. Raises `NotMerged` if something else is in the way."""
    for name in path[:-1]:
        found = found.setdefault(name, {})
        if not isinstance(found, dict):
            raise NotMerged(f"{name} in it is no object, and was left alone")
    found[path[-1]] = value


def take(found: Fields, *path: str) -> None:
    """Take out what a path of names leads to, and objects that are empty without it."""
    inner = found.get(path[0])
    if len(path) > 1 and isinstance(inner, dict):
        take(inner, *path[1:])
    if len(path) == 1 or inner == {}:
        found.pop(path[0], None)


def put_hooks(found: Fields, hooks: dict[str, list[Any]], mark: str) -> None:
    """Put hooks, by their events, after others that are there; those that were ours are replaced."""
    take_hooks(found, mark)
    events = found.setdefault("hooks", {})
    if not isinstance(events, dict) or not all(isinstance(one, list) for one in events.values()):
        raise NotMerged("the hooks in it are not as they were expected, and were left alone")
    for event, groups in hooks.items():
        events.setdefault(event, []).extend(groups)


def take_hooks(found: Fields, mark: str) -> None:
    """Take out the hooks that hold a text by which ours are known."""
    events = found.get("hooks")
    if not isinstance(events, dict):
        return
    for event, groups in list(events.items()):
        if isinstance(groups, list):
            left = [one for one in groups if mark not in json.dumps(one)]
            if len(left) < len(groups):
                events[event] = left
                if not left:
                    del events[event]
    if not events:
        del found["hooks"]


def _mode(path: Path) -> int:
    """A file that is there keeps who may read it; a new one is its owner's."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return 0o600
