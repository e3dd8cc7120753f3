"""Where the backbone is, who speaks and in which room: from the environment, or from a context that was kept.

Contexts lie in ``~/.config/caucus/config.toml``, which only its owner can read, since tokens are in it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from caucus.terminal.connecting import DEFAULT_URL

DEFAULT_NAME = "default"


class BadConfiguration(Exception):
    """The file cannot be used as it is; the text says why."""


class Context(NamedTuple):
    """Where a command goes, and as whom. Without a ``token`` it can only look; ``room`` may be empty."""

    url: str = DEFAULT_URL
    token: str = ""
    room: str = ""
    name: str = ""

    def __repr__(self) -> str:
        return f"<Context {self.name} {self.url} {self.room}>"


def home(environment: Mapping[str, str]) -> Path:
    """Whose home it is; no absolute path if there is none."""
    return Path(environment.get("HOME") or os.path.expanduser("~"))  # which does not fail


def path(environment: Mapping[str, str]) -> Path:
    """Where contexts are kept."""
    config = Path(environment.get("XDG_CONFIG_HOME", ""))
    base = config if config.is_absolute() else home(environment) / ".config"
    return base / "caucus" / "config.toml"


def chosen(environment: Mapping[str, str], name: str = "") -> Context:
    """The context with this name, or the current one; what the environment says wins.

    A token goes to its own address only: where ``CAUCUS_URL`` is another than the context's, its token stays.
    Raises `BadConfiguration`.
    """
    url, token, room = (environment.get(f"CAUCUS_{one}", "").strip() for one in ("URL", "TOKEN", "ROOM"))
    wanted = name or environment.get("CAUCUS_CONTEXT", "").strip()
    kept = Context() if url and token and room and not wanted else find(read(path(environment)), wanted)
    if not is_token(token or kept.token):
        raise BadConfiguration("the token is none: it must be one word of printable ASCII")
    if name:  # what is said on the command line wins over all
        return kept
    is_its_own = not url or url.rstrip("/") == kept.url.rstrip("/")
    return Context(
        url or kept.url,
        token or (kept.token if is_its_own else ""),
        room or (kept.room if is_its_own else ""),
        kept.name if is_its_own else "",
    )


def is_token(text: str) -> bool:
    """Whether a text can be sent as a token, or is empty."""
    return text.isascii() and (text.isprintable() or not text) and " " not in text


def find(found: Mapping[str, Any], name: str = "") -> Context:
    """A context out of what the file holds. Raises `BadConfiguration` if there is none with that name."""
    wanted = name or found.get("current", "")
    contexts = found.get("contexts", {})
    one = contexts.get(wanted) if isinstance(contexts, Mapping) and isinstance(wanted, str) else None
    if not isinstance(one, Mapping):
        if name:
            raise BadConfiguration(f"there is no context {name!r}: caucus context lists them")
        return Context()
    said = {key: one.get(key, "") for key in ("url", "token", "room")}
    if not all(isinstance(value, str) for value in said.values()):
        raise BadConfiguration(f"in the context {wanted!r} url, token and room must be texts")
    return Context(said["url"] or DEFAULT_URL, said["token"], said["room"], wanted)


def read(file: Path) -> dict[str, Any]:
    """What the file holds; nothing if there is none. Raises `BadConfiguration`."""
    import tomllib  # noqa: PLC0415  # most calls need none

    try:
        with file.open("rb") as opened:
            return tomllib.load(opened)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BadConfiguration(f"{file} cannot be read: {reason}") from None


def is_open_to_others(file: Path) -> bool:
    """Whether somebody else on this machine can read the file."""
    try:
        return bool(file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False


def keep(file: Path, context: Context) -> None:
    """Put a context under its name, and make it the current one; whatever else is in the file stays."""
    import tomlkit  # noqa: PLC0415

    document = _document(file)
    contexts = document.setdefault("contexts", tomlkit.table(is_super_table=True))
    entry = {"url": context.url, "token": context.token, "room": context.room}
    contexts[context.name] = {key: value for key, value in entry.items() if value}
    document["current"] = context.name
    write(file, tomlkit.dumps(document))


def switch(file: Path, name: str) -> None:
    """Make a context the current one. Raises `BadConfiguration` if there is none with that name."""
    import tomlkit  # noqa: PLC0415

    find(read(file), name)
    document = _document(file)
    document["current"] = name
    write(file, tomlkit.dumps(document))


def forget(file: Path, name: str) -> None:
    """Take a context out, with its token. Raises `BadConfiguration` if there is none with that name."""
    import tomlkit  # noqa: PLC0415

    find(read(file), name)
    document = _document(file)
    del document["contexts"][name]
    if document.get("current") == name:
        del document["current"]
    write(file, tomlkit.dumps(document))


def _document(file: Path) -> Any:
    import tomlkit  # noqa: PLC0415

    if not file.is_absolute():
        raise BadConfiguration("there is no home to keep it in: set HOME")
    read(file)  # which refuses what cannot be read
    document = tomlkit.parse(file.read_text("utf-8")) if file.exists() else tomlkit.document()
    if not isinstance(document.get("contexts", {}), Mapping):
        raise BadConfiguration(f"in {file} contexts must be a table")
    if "current" not in document:  # it must stand before the tables
        document.add("current", "")
    return document


def write(file: Path, text: str, mode: int = 0o600) -> None:
    """Put a text into a file, or what that is a link to, as a whole or not at all. Raises `OSError`."""
    import tempfile  # noqa: PLC0415

    target = Path(os.path.realpath(file))
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as opened:
            opened.write(text)
            opened.flush()
            os.fsync(opened.fileno())
        Path(name).chmod(mode)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
