"""The wheel, in a clean environment: editable installs find plug-ins that a wheel silently lacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def clean_bin(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment that holds the wheel and what it asks for, and nothing else."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    subprocess.run(
        [folder / "bin/python", "-m", "pip", "install", "--quiet", wheel], check=True, capture_output=True
    )
    return folder / "bin"


def test_the_wheel_holds_the_package_and_the_plugins_and_nothing_that_hides_twisted(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "caucus/py.typed",
        "caucus/harnesses/opencode.js",
        "caucus/harnesses/pi.ts",
        "caucus/web/page/static/app.js",
        "caucus/web/page/static/index.html",
        "caucus/web/page/static/page.css",
        "twisted/plugins/caucus_service.py",
        "twisted/plugins/caucus_journals.py",
        "twisted/plugins/caucus_postgres.py",
        "twisted/plugins/caucus_reactor.py",
    } <= names
    assert not {"twisted/__init__.py", "twisted/plugins/__init__.py", "twisted/plugins/dropin.cache"} & names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"caucus", "twisted", "caucus_backbone"}


def test_twist_caucus_starts_from_the_wheel(clean_bin: Path, tmp_path: Path) -> None:
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("CAUCUS_", "PYTHON"))
    }
    daemon = subprocess.Popen(
        [clean_bin / "twist", "caucus", "--port=0"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert daemon.stdout is not None
    url = next(line.split()[-1] for line in daemon.stdout if "listening on" in line)
    with urllib.request.urlopen(url + "/healthz", timeout=20) as answer:
        assert json.load(answer) == {"ok": True}
    daemon.send_signal(signal.SIGTERM)
    daemon.communicate(timeout=20)


def test_without_the_extra_a_start_on_postgres_says_in_a_line_what_to_install(
    clean_bin: Path, tmp_path: Path
) -> None:
    for command in (["caucus-backbone", "--journal=postgres:x"], ["caucus-journal", "check", "postgres:x"]):
        ended = subprocess.run(
            [str(clean_bin / command[0]), *command[1:]],
            cwd=tmp_path,
            env={**os.environ, "PORT": "0"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode == 1
        (line,) = [one for one in ended.stderr.splitlines() if one.startswith("caucus-")]
        assert "psycopg is not installed; pip install 'caucus-backbone[postgres]' installs it" in line


def test_every_journal_is_found_in_the_wheel(clean_bin: Path, tmp_path: Path) -> None:
    command = [str(clean_bin / "caucus-backbone"), "--list-journals"]
    listed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    from caucus.journals import installed_journals  # noqa: PLC0415

    assert [line.partition(":")[0] for line in listed.splitlines()] == list(installed_journals())
