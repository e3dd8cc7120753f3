"""``caucus login``, ``context`` and ``run``: what is kept, who can read it, and what wins."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from caucus.terminal.contexts import BadConfiguration, Context, chosen, find, forget, keep, path, read, switch
from tests.daemon import SECONDS, Start
from tests.terminal import TOKENS, Terminal


@pytest.fixture
def url(start: Start) -> str:
    return start("caucus-backbone", CAUCUS_TOKENS=TOKENS).until_listening()[0]


@pytest.fixture
def nobody(url: str, tmp_path: Path) -> Terminal:
    """A terminal whose environment says nothing."""
    return Terminal("", "", tmp_path, room="")


def test_what_was_kept_is_used(nobody: Terminal, url: str, tmp_path: Path) -> None:
    said = nobody("login", url, given=b"tok-alice\n")
    file = tmp_path / ".config" / "caucus" / "config.toml"
    assert said.out == f"You are alice/alice-laptop at {url}: kept in {file} as default.\n"
    assert "tok-alice" not in said.out + said.errors
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert nobody("rooms", "--new", "room").status == 0
    assert nobody("context").out == f"*  default  {url}\n"


def test_a_token_that_is_not_taken_is_not_kept(nobody: Terminal, url: str, tmp_path: Path) -> None:
    assert nobody("login", url, given=b"tok-nobody\n").status == 4
    assert nobody("login", url, given=b"\n").status == 2
    assert nobody("login", "http://127.0.0.1:1", given=b"tok-alice\n").status == 5
    assert not (tmp_path / ".config").exists()


def test_a_room_that_is_not_there_yet_is_kept_and_said_to_be_missing(nobody: Terminal, url: str) -> None:
    said = nobody("login", url, "-r", "ops", given=b"tok-alice\n")
    assert (said.status, said.errors) == (0, "There is no room ops yet: caucus rooms --new ops\n")
    assert nobody("rooms", "--new", "ops").status == 0
    assert nobody("board").out == "Nobody holds anything.\n"
    assert nobody("context", "default", "--room", "other").status == 0
    assert "caucus rooms lists them" in nobody("board").errors


def test_one_changes_between_contexts_and_forgets_them(nobody: Terminal, url: str, tmp_path: Path) -> None:
    nobody("login", url, given=b"tok-alice\n")
    nobody("login", url, "--name", "desk", given=b"tok-bob2\n")
    nobody("rooms", "--new", "room")
    assert nobody("claim", "a").status == 0
    assert "bob/bob-desk (you)" in nobody("board").out
    assert nobody("context", "default").out == "now: default\n"
    assert "(you)" not in nobody("board").out
    assert "(you)" in nobody("board", "--context", "desk").out
    assert nobody("context", "desk", "--forget").status == 0
    assert "tok-bob2" not in (tmp_path / ".config/caucus/config.toml").read_text()
    assert nobody("board", "--context", "desk").status == 2
    assert nobody("context", "desk").status == 2


def test_a_command_is_run_with_the_context_in_its_environment(nobody: Terminal, url: str) -> None:
    nobody("login", url, given=b"tok-alice\n")
    shown = nobody.start("run", "-r", "ops", "sh", "-c", "echo $CAUCUS_URL $CAUCUS_TOKEN $CAUCUS_ROOM")
    assert shown.communicate(timeout=SECONDS)[0] == f"{url} tok-alice ops\n"
    assert nobody("run", "no-such-command").status == 127


def test_others_that_can_read_it_are_told_of(nobody: Terminal, url: str, tmp_path: Path) -> None:
    nobody("login", url, given=b"tok-alice\n")
    (tmp_path / ".config/caucus/config.toml").chmod(0o644)
    assert "chmod 600" in nobody("context").errors


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "caucus" / "config.toml"


def environment(tmp_path: Path, **said: str) -> dict[str, str]:
    return {"XDG_CONFIG_HOME": str(tmp_path), **{f"CAUCUS_{name}": value for name, value in said.items()}}


HERE = Context("http://here:4317", "tok-here", "ops", "here")


def test_the_environment_wins(tmp_path: Path, file: Path) -> None:
    keep(file, HERE)
    assert chosen(environment(tmp_path)) == HERE
    assert chosen(environment(tmp_path, ROOM="other")) == Context(
        "http://here:4317", "tok-here", "other", "here"
    )
    assert chosen(environment(tmp_path, TOKEN="mine")).token == "mine"


def test_a_token_goes_to_its_own_address_only(tmp_path: Path, file: Path) -> None:
    keep(file, HERE)
    assert chosen(environment(tmp_path, URL="http://evil")) == Context("http://evil")
    assert chosen(environment(tmp_path, URL="http://here:4317/")).token == "tok-here"


def test_a_context_that_is_named_wins_over_the_environment(tmp_path: Path, file: Path) -> None:
    keep(file, HERE)
    assert chosen(environment(tmp_path, URL="http://else", TOKEN="mine"), "here") == HERE
    keep(file, Context("http://there", "tok-there", "", "there"))
    assert chosen(environment(tmp_path, CONTEXT="here")) == HERE


def test_what_somebody_has_written_into_the_file_stays(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('# mine\n[contexts.old]\nurl = "http://old"  # slow\n\n[other]\nx = 1\n')
    keep(file, HERE)
    text = file.read_text()
    assert "# mine" in text
    assert "# slow" in text
    assert find(read(file)) == HERE
    switch(file, "old")
    assert find(read(file)).url == "http://old"
    forget(file, "old")
    assert find(read(file)) == Context()
    assert "# mine" in file.read_text()


def test_a_link_stays_one(file: Path, tmp_path: Path) -> None:
    file.parent.mkdir()
    (tmp_path / "dotfiles").mkdir()
    file.symlink_to(tmp_path / "dotfiles" / "caucus.toml")
    keep(file, HERE)
    assert file.is_symlink()
    assert find(read(tmp_path / "dotfiles" / "caucus.toml")) == HERE


@pytest.mark.parametrize("text", ["contexts = 1\n", "x = [\n", "current = 1\n[contexts.a]\n", "\xff"])
def test_a_file_that_cannot_be_used_is_said_to_be_so_and_left_alone(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_bytes(text.encode("latin-1"))
    try:
        found = find(read(file))
    except BadConfiguration:
        with pytest.raises(BadConfiguration):
            keep(file, HERE)
        assert file.read_bytes() == text.encode("latin-1")
    else:
        assert found == Context()


def test_a_context_with_something_else_than_texts_is_refused() -> None:
    with pytest.raises(BadConfiguration, match="must be texts"):
        find({"current": "a", "contexts": {"a": {"url": 1}}})


def test_where_it_is_kept() -> None:
    assert path({"HOME": "/home/me"}) == Path("/home/me/.config/caucus/config.toml")
    assert path({"HOME": "/home/me", "XDG_CONFIG_HOME": "/etc/me"}) == Path("/etc/me/caucus/config.toml")
    assert path({"HOME": "/home/me", "XDG_CONFIG_HOME": "relative"}) == Path(
        "/home/me/.config/caucus/config.toml"
    )


def test_whoever_has_no_home_can_look_and_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    nowhere = path({})
    assert chosen({"CAUCUS_URL": "http://x"}) == Context("http://x")
    with pytest.raises(BadConfiguration, match="set HOME"):
        keep(nowhere, HERE)


def test_a_token_shows_in_no_repr() -> None:
    assert "tok-here" not in repr(HERE)
    assert os.linesep not in repr(HERE)
