"""The table of operations: what is said of it elsewhere says the same."""

from __future__ import annotations

from pathlib import Path

from caucus.interfaces import IBackbone
from caucus.wire.operation import Operation
from caucus.wire.operations import OPERATIONS
from caucus.wire.refusals import STATUS

PROTOCOL = Path(__file__).parent.parent / "docs" / "protocol.md"
MARKS = {"writer": " *", "admin": " †", "writer or admin": " * or †"}


def shown(operation: Operation[object]) -> str:
    at = operation.at.replace("{", ":").replace("}", "")
    mark = MARKS.get(operation.authority, "")
    answer = f"{operation.status} {operation.answer.shown}"
    return f"| `{operation.method} {at}`{mark} | {operation.takes} | {answer} |".replace("|  |", "| |")


def test_the_protocol_page_has_the_table() -> None:
    page = PROTOCOL.read_text(encoding="utf-8")
    assert "\n".join(map(shown, OPERATIONS)) in page


def test_every_operation_of_the_interface_has_a_row() -> None:
    assert set(IBackbone.names()) <= {operation.name for operation in OPERATIONS}


def test_every_error_that_a_row_names_can_be_answered_with() -> None:
    for error in {error for operation in OPERATIONS for error in operation.errors}:
        assert any(issubclass(answered, error) for answered in STATUS)


def test_whoever_writes_needs_a_token() -> None:
    for operation in OPERATIONS:
        assert not operation.writes or operation.authority in ("writer", "admin", "writer or admin")
