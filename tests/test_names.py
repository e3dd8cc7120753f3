"""Names of modules that stand in strings lead somewhere: in settings of tools, entry points, public names."""

from __future__ import annotations

import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import caucus

ROOT = Path(__file__).parent.parent
SETTINGS: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = SETTINGS["tool"]["importlinter"]["contracts"]
LAYERS = [name.strip() for layer in CONTRACTS[0]["layers"] for name in layer.split("|")]
SOURCES = [name for contract in CONTRACTS[1:] for name in contract["source_modules"]]
TYPED = [name for override in SETTINGS["tool"]["mypy"]["overrides"] for name in override["module"]]


@pytest.mark.parametrize("target", SETTINGS["project"]["scripts"].values())
def test_an_entry_point_can_be_called(target: str) -> None:
    module, _, name = target.partition(":")
    assert callable(getattr(import_module(module), name))


@pytest.mark.parametrize("name", {*LAYERS, *SOURCES})
def test_a_layer_is_a_module(name: str) -> None:
    assert find_spec(name) is not None


@pytest.mark.parametrize("name", {one.removesuffix(".*") for one in TYPED if one.startswith("caucus")})
def test_what_mypy_is_told_about_is_a_module(name: str) -> None:
    assert find_spec(name) is not None


@pytest.mark.parametrize("pattern", SETTINGS["tool"]["ruff"]["lint"]["per-file-ignores"])
def test_what_ruff_is_told_about_are_files(pattern: str) -> None:
    before, _, rest = pattern.partition("{")
    within, _, after = rest.partition("}")
    for middle in within.split(","):
        assert list(ROOT.glob(before + middle + after)) != []


@pytest.mark.parametrize("name", caucus.__all__)
def test_a_public_name_has_its_home(name: str) -> None:
    assert getattr(caucus, name).__name__ == name


def test_every_module_can_be_imported() -> None:
    for path in (ROOT / "caucus").rglob("*.py"):
        import_module(".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"))


def test_packages_say_all_that_is_in_them() -> None:
    for name in ("errors", "interfaces"):
        package = import_module(f"caucus.{name}")
        for path in (ROOT / "caucus" / name).glob("[a-z]*.py"):
            module = import_module(f"caucus.{name}.{path.stem}")
            for defined, value in vars(module).items():
                if getattr(value, "__module__", "") == module.__name__ and not defined.startswith("_"):
                    assert getattr(package, defined) is value
