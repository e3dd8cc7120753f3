"""Real harnesses in homes of their own, against a model that plays a script."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from attrs import frozen

from tests.daemon import BIN, ask
from tests.fake_model import FakeModel, Step
from tests.terminal import Terminal

PROGRAMS = BIN.parent / "harnesses" / "node_modules"
SECONDS = 120
PATCH = "*** Begin Patch\n*** Update File: src/pay.py\n@@\n-x = 1\n+x = 2\n*** End Patch\n"


@frozen
class Kind:
    """How a harness is started without anybody before it, and what its model calls tools.

    :param tool: what the names of Caucus' tools begin with, and ``namespace`` where they are.
    """

    name: str
    program: str
    start: Sequence[str]
    go_on: Sequence[str]
    tool: str
    namespace: str
    edit: Callable[[Path], Step]
    configure: Callable[[Path, str], Mapping[str, str]]

    def call(self, tool: str, before: Callable[[], object] = lambda: None, **arguments: Any) -> Step:
        """The model calls one of Caucus' tools."""
        return Step(f"{self.tool}{tool}", arguments, namespace=self.namespace, before=before)


def _claude(home: Path, url: str) -> Mapping[str, str]:
    return {
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "sk-fake",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    }


def _codex(home: Path, url: str) -> Mapping[str, str]:
    (home / ".codex").mkdir()
    (home / ".codex" / "config.toml").write_text(
        f'# mine\nmodel = "fake"\nmodel_provider = "fake"\n\n[model_providers.fake]\nname = "fake"\n'
        f'base_url = "{url}/v1"\nwire_api = "responses"\n'
    )
    return {}


def _copilot(home: Path, url: str) -> Mapping[str, str]:
    return {
        "COPILOT_OFFLINE": "true",
        "COPILOT_PROVIDER_BASE_URL": f"{url}/v1",
        "COPILOT_MODEL": "fake",
        "COPILOT_AUTO_UPDATE": "false",
    }


def _opencode(home: Path, url: str) -> Mapping[str, str]:
    model = {"name": "fake", "tool_call": True, "limit": {"context": 200_000, "output": 8000}}
    options = {"baseURL": f"{url}/v1", "apiKey": "k"}
    provider = {"npm": "@ai-sdk/openai-compatible", "options": options, "models": {"fake": model}}
    said = {"model": "fake/fake", "small_model": "fake/fake", "autoupdate": False, "share": "disabled"}
    return {
        "OPENCODE_CONFIG_CONTENT": json.dumps(said | {"provider": {"fake": provider}}),
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
    }


def _gemini(home: Path, url: str) -> Mapping[str, str]:
    (home / ".gemini").mkdir()
    settings = {"security": {"auth": {"selectedType": "gemini-api-key"}}}
    (home / ".gemini" / "settings.json").write_text(json.dumps(settings))
    return {"GEMINI_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_CLI_NO_RELAUNCH": "true"}


def _pi(home: Path, url: str) -> Mapping[str, str]:
    provider = {
        "baseUrl": f"{url}/v1",
        "api": "openai-completions",
        "apiKey": "none",
        "models": [{"id": "fake"}],
    }
    (home / ".pi" / "agent").mkdir(parents=True)
    (home / ".pi" / "agent" / "models.json").write_text(json.dumps({"providers": {"fake": provider}}))
    return {"PI_OFFLINE": "1", "PI_TELEMETRY": "0"}


KINDS = {
    one.name: one
    for one in [
        Kind(
            "claude",
            ".bin/claude",
            ["-p", "please start", "--allowedTools", "Write"],
            ["-p", "--continue", "go on", "--allowedTools", "Write"],
            "mcp__caucus__",
            "",
            lambda project: Step("Write", {"file_path": str(project / "src/pay.py"), "content": "x = 2\n"}),
            _claude,
        ),
        Kind(
            "codex",
            ".bin/codex",
            ["exec", "-s", "workspace-write", "--skip-git-repo-check", "please start"],
            ["exec", "resume", "--last", "--skip-git-repo-check", "go on"],
            "",
            "mcp__caucus",
            lambda project: Step("exec_command", {"cmd": f"apply_patch <<'EOF'\n{PATCH}EOF\n"}),
            _codex,
        ),
        Kind(
            "copilot",
            ".bin/copilot",
            ["-p", "please start", "--allow-all-tools"],
            ["--continue", "-p", "go on", "--allow-all-tools"],
            "caucus-",
            "",
            lambda project: Step(
                "edit", {"path": str(project / "src/pay.py"), "old_str": "x = 1", "new_str": "x = 2"}
            ),
            _copilot,
        ),
        Kind(
            "opencode",
            "opencode-linux-x64/bin/opencode",
            ["run", "please start"],
            ["run", "-c", "go on"],
            "caucus_",
            "",
            lambda project: Step("write", {"filePath": str(project / "src/pay.py"), "content": "x = 2\n"}),
            _opencode,
        ),
        Kind(
            "gemini",
            ".bin/gemini",
            ["-m", "gemini-2.5-flash", "--skip-trust", "--approval-mode", "yolo", "-p", "please start"],
            [
                "-m",
                "gemini-2.5-flash",
                "--skip-trust",
                "--approval-mode",
                "yolo",
                "-r",
                "latest",
                "-p",
                "go on",
            ],
            "mcp_caucus_",
            "",
            lambda project: Step(
                "write_file", {"file_path": str(project / "src/pay.py"), "content": "x = 2\n"}
            ),
            _gemini,
        ),
        Kind(
            "pi",
            ".bin/pi",
            ["--provider", "fake", "--model", "fake", "-p", "please start"],
            ["--provider", "fake", "--model", "fake", "-c", "-p", "go on"],
            "caucus_",
            "",
            lambda project: Step("write", {"path": str(project / "src/pay.py"), "content": "x = 2\n"}),
            _pi,
        ),
    ]
}


def require(kind: Kind) -> None:
    """Skip what is not installed."""
    if not (PROGRAMS / kind.program).exists():
        pytest.skip(f"{kind.name} is not installed: make .venv/harnesses/.installed")


class Lab:
    """A harness in a home and a project of its own, a daemon, and a model."""

    def __init__(self, kind: Kind, url: str, folder: Path, who: str = "alice") -> None:
        self.kind = kind
        self.url = url
        self.model = FakeModel()
        self.home, self.project = folder / "home", folder / "project"
        self.home.mkdir(parents=True)
        (self.project / "src").mkdir(parents=True)
        self.pay = self.project / "src" / "pay.py"
        self.pay.write_text("x = 1\n")
        self.terminal = Terminal(url, who, self.home)
        more = kind.configure(self.home, self.model.url)
        path = f"{PROGRAMS / '.bin'}{os.pathsep}/usr/bin{os.pathsep}/bin"
        named = {
            name: value
            for name, value in self.terminal.environment.items()
            if name in ("CAUCUS_TOKEN", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")
            or name.lower().startswith("npm_config_")  # one of them installs something of its own
        }
        self.environment = {"HOME": str(self.home), "PATH": path, **named, **more}

    def begin(self, arguments: Sequence[str]) -> subprocess.Popen[str]:
        """Start the harness."""
        return subprocess.Popen(
            [PROGRAMS / self.kind.program, *arguments],
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, arguments: Sequence[str]) -> str:
        """Run the harness to its end; what it said."""
        process = self.begin(arguments)
        try:
            return process.communicate(timeout=SECONDS)[0]
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    def bob(self, action: str, body: object) -> Any:
        """Somebody else does something in the room."""
        return ask(f"{self.url}/channels/room/{action}", body, "tok-bob")

    def says(self, text: str) -> None:
        """Somebody else says something."""
        self.bob("append", {"type": "finding", "msg_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "body": text})
