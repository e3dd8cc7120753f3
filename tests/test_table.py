"""The table of operations against Werkzeug's own matching of the Klein tree."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st
from werkzeug import exceptions

from caucus.errors import MethodNotAllowed, NotFound
from caucus.web.routes.every import ROUTES
from caucus.web.routes.tree import klein_app
from caucus.web.table import Table, operation_of
from caucus.wire.operations import ACTIONS, OPERATIONS

WORDS = [
    "channels",
    "room",
    "append",
    "artifacts",
    "stream",
    "admin",
    "tokens",
    "revoke",
    "healthz",
    "x",
    "nope",
]
METHODS = ["GET", "POST", "PUT", "HEAD", "DELETE"]
TABLE = Table(OPERATIONS, ())
nothing: Any = None
MAP = klein_app(nothing).url_map.bind("localhost")


def matched(path: list[str], method: str) -> Any:
    try:
        name, arguments = MAP.match("/" + "/".join(path), method)
    except exceptions.NotFound:
        return "not found"
    except exceptions.MethodNotAllowed as error:
        return tuple(sorted(error.valid_methods or ()))
    return name, list(arguments.values())


def found(path: list[str], method: str, table: Table = TABLE) -> Any:
    place = table.place(path)
    try:
        return operation_of(place.routes, method.encode()).name, place.arguments
    except NotFound:
        return "not found"
    except MethodNotAllowed as error:
        return error.allowed


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), st.sampled_from(METHODS))
def test_a_path_leads_where_werkzeug_takes_it(path: list[str], method: str) -> None:
    assert found(path, method) == matched(path, method)


def test_every_operation_is_found_and_has_a_route() -> None:
    for operation in OPERATIONS:
        target = operation.target(*("x" for one in operation.segments if one.startswith("{")))
        path = [one for one in target.split("/") if one]
        assert found(path, operation.method)[0] == operation.name
    assert ROUTES.keys() == {operation.name for operation in OPERATIONS}


def test_an_unknown_action_is_not_found_by_post_and_not_allowed_otherwise() -> None:
    table = Table(OPERATIONS, ACTIONS)
    for path in (
        ["channels", "room", "nope"],
        ["admin", "tokens", "nope"],
        ["channels", "room", "artifacts"],
    ):
        assert found(path, "POST", table) == "not found"
        assert found(path, "GET", table) == ("POST",)
    assert found(["channels", "room", "stream"], "POST", table) == ("GET",)
    assert found(["channels", "room", "append"], "GET", table) == ("POST",)
