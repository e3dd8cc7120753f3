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
PARENTS = ("hooks", "mcp", "mcpServers", "mcp_servers", "permissions")
"""What our entries lie in."""
_INDENT = re.compile(r"^[{\[]\s*?\n([ \t]+)\S")

Fields = dict[str, Any]
Merge = Callable[[Fields, Fields], None]
"""Changes an object; the other is what its file was before we came, or is empty."""


class NotMerged(Exception):
    """A file cannot be changed without harm; the text says why, and what to do by hand."""


class Change(NamedTuple):
    """A file as it is, and as it is to be; ``None`` for none.

    :param is_first: whether nothing of ours is in it yet, so that it is to be kept as it is.
    :param is_restored: whether it is again what it was before, so that nothing needs to be kept.
    """

    path: Path
    before: str | None
    after: str | None
    is_first: bool = False
    is_restored: bool = False

    def carry_out(self) -> None:
        """Change the file. Raises `OSError`, and `NotMerged` if it is not any more what it was."""
        if text_of(self.path) != self.before:
            raise NotMerged(f"{self.path} has changed meanwhile, and was left alone: try again")
        backup = backup_of(self.path)
        if self.is_first and self.before is not None:
            _put_aside(backup)
            write(backup, self.before, _mode(self.path))
        if self.after is None:
            Path(os.path.realpath(self.path)).unlink(missing_ok=True)
        else:
            write(self.path, self.after, _mode(self.path))
        if self.is_restored:
            backup.unlink(missing_ok=True)


def backup_of(path: Path) -> Path:
    """Where a file as it was before is kept."""
    return path.with_name(path.name + BACKUP)


def _put_aside(backup: Path) -> None:
    """A copy that is there already is of another time: it keeps what it is, under another name."""
    number = 1
    while backup.exists() and (aside := backup.with_name(f"{backup.name}.{number}")):
        if not aside.exists():
            backup.rename(aside)
        number += 1


def text_of(path: Path) -> str | None:
    """What a file holds, with its line ends. Raises `NotMerged` for what cannot be read."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise NotMerged(f"{path} is no text in UTF-8, and was left alone") from None
    except OSError as error:
        raise NotMerged(f"{path} cannot be read: {error.strerror}") from None


def own(path: Path, text: str | None) -> list[Change]:
    """A file that is ours alone."""
    before = text_of(path)
    return [] if before == text else [Change(path, before, text)]


def merged(path: Path, put_in: Merge | None, take_out: Merge) -> list[Change]:
    """A file of JSON with what is ours taken out, and put in anew if that is wanted.

    Raises `NotMerged` for what is no object of JSON, such as one with comments, or not as it was expected.
    """
    before = text_of(path)
    found, kept = _decoded(path, before), _kept(path)
    try:
        without = deepcopy(found)
        take_out(without, kept)
        wanted = deepcopy(without)
        if put_in is not None:
            put_in(wanted, kept)
        else:
            bare = deepcopy(kept)
            take_out(bare, kept)
    except (AttributeError, TypeError, KeyError, ValueError, RecursionError):
        raise NotMerged(f"{path} is not as it was expected, and was left alone") from None
    if said(wanted) == said(found):
        return []
    if put_in is None:
        text = text_of(backup_of(path)) if kept else None
        if text is not None and said(filled(bare)) == said(filled(wanted)):
            return [Change(path, before, text, is_restored=True)]
        if not wanted and not kept:
            return [Change(path, before, None, is_restored=True)]
    return [Change(path, before, _encoded(path, before, wanted), is_first=said(without) == said(found))]


def said(found: object) -> str:
    """What an object says, whatever the order: ``1`` is not ``true``."""
    return json.dumps(found, sort_keys=True)


def filled(found: Fields) -> Fields:
    """An object without those of our parents that are empty: we leave none behind."""
    return {name: value for name, value in found.items() if name not in PARENTS or value not in ({}, [])}


def _decoded(path: Path, text: str | None) -> Fields:
    if text is None or not text.strip():
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotMerged(f"{path} is no plain JSON (comments?), and was left alone: {error}") from None
    if not isinstance(found, dict):
        raise NotMerged(f"{path} holds no object, and was left alone")
    return found


def _kept(path: Path) -> Fields:
    """What a file was before; nothing, if that is not known."""
    try:
        return _decoded(path, text_of(backup_of(path)))
    except NotMerged:
        return {}


def _encoded(path: Path, before: str | None, wanted: Fields) -> str:
    indent = _INDENT.match(before or "")
    width: str | int = indent[1] if indent else 2
    try:
        text = json.dumps(wanted, indent=width, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise NotMerged(f"{path} holds a number that JSON has not, and was left alone") from None
    if re.search("[\ud800-\udfff]", text):
        text = json.dumps(wanted, indent=width)
    text += "\n"
    return text.replace("\n", "\r\n") if "\r\n" in (before or "") else text


def put(found: Fields, value: object, *path: str) -> None:
    """Put a value where a path of names leads. Raises `TypeError` if something else is in the way."""
    for name in path[:-1]:
        found = found.setdefault(name, {})
        if not isinstance(found, dict):
            raise TypeError(name)
    found[path[-1]] = value


def give_back(found: Fields, kept: Fields, mark: str, *path: str) -> None:
    """Take out what is at a path of names, if a mark of ours is in it; what was there before comes back."""
    if mark not in json.dumps(find(found, *path)):
        return
    before = find(kept, *path)
    if before is None:
        take(found, *path)
    else:
        put(found, before, *path)


def find(found: Any, *path: str) -> Any:
    """What a path of names leads to, or nothing."""
    for name in path:
        found = found.get(name) if isinstance(found, dict) else None
    return found


def take(found: Fields, *path: str) -> None:
    """Take out what a path of names leads to, and objects that are empty without it."""
    inner = found.get(path[0])
    if len(path) > 1 and isinstance(inner, dict):
        take(inner, *path[1:])
    if len(path) == 1 or inner == {}:
        found.pop(path[0], None)


def _mode(path: Path) -> int:
    """A file that is there keeps who may read it; a new one is its owner's."""
    try:
        return stat.S_IMODE(os.stat(path).st_mode)
    except OSError:
        return 0o600
