"""The OpenAPI description: it says what the routes are, and the routes do what it says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

from caucus.web.openapi.description import description
from caucus.wire.operations import OPERATIONS
from tests.daemon import Start, ask
from tests.raw import make_edge


def described() -> set[tuple[str, str]]:
    paths = json.loads(description())["paths"]
    return {(path, verb) for path, item in paths.items() for verb in item if verb != "parameters"}


def test_every_operation_is_described_and_every_description_is_an_operation() -> None:
    rows = {(operation.at, operation.method.lower()) for operation in OPERATIONS}
    assert rows == described()


def test_a_pattern_means_to_ecmascript_what_it_means_here() -> None:
    patterns = re.findall(r'"pattern":"((?:[^"\\\\]|\\\\.)*)"', description().decode())
    assert patterns
    for pattern in patterns:
        assert not any(part in pattern for part in ("\\\\A", "\\\\Z", "(?"))


def test_every_described_operation_exists_on_the_wire() -> None:
    edge = make_edge()
    edge.make_room()
    for path, verb in described():
        target = path.format(
            channel="room",
            sha256="0" * 64,
            claim="1",
            cursor="1",
            dialect="claude",
            event="Stop",
            version="0",
            part="app.js",
        )
        answer = edge.connect()
        answer.send(f"{verb.upper()} {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        head = answer.transport.value()
        status = int(head.split(b" ")[1])
        assert status not in (405, 500)
        assert b"There is nothing here" not in head or path == "/" or "sha256" in path or "cursor" in path
        answer.lose()


def test_every_error_that_an_operation_names_has_the_envelope() -> None:
    for item in json.loads(description())["paths"].values():
        for operation in (one for verb, one in item.items() if verb != "parameters"):
            for status, response in operation["responses"].items():
                schema = response.get("content", {}).get("application/json", {}).get("schema", {})
                is_error = {"$ref": "#/components/schemas/Error"} in schema.get("anyOf", [schema])
                assert is_error == (status >= "400")


def test_it_is_served(start: Start) -> None:
    (url,) = start("caucus-backbone").until_listening()
    assert ask(url + "/openapi.json") == json.loads(description())


def test_schemathesis_finds_nothing(start: Start, tmp_path: Path) -> None:
    budgets = [
        "--max-posts-per-minute=1000000",
        "--max-channel-creates-per-minute=1000000",
        "--max-channels=100000",
    ]
    (url,) = start(
        "caucus-backbone", *budgets, CAUCUS_TOKENS="tok:a:o", CAUCUS_ADMIN_TOKEN="tok"
    ).until_listening()
    ask(url + "/channels", {"channel": "room"}, "tok")
    config = Path(__file__).with_name("schemathesis.toml")
    schemathesis = str(Path(sys.executable).with_name("schemathesis"))
    command = [schemathesis, f"--config-file={config}", "run", url + "/openapi.json"]
    options = [
        "--header=Authorization: Bearer tok",
        "--exclude-path=/channels/{channel}/stream",  # it never ends
        "--max-examples=25",
        "--seed=1",
        "--continue-on-failure",
        "--no-color",
    ]
    done = subprocess.run(
        [*command, *options], cwd=tmp_path, capture_output=True, text=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr
