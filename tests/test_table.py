"""The table of routes against Werkzeug's own matching of the same map."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st
from werkzeug import exceptions
from werkzeug.routing import Map, Rule

from caucus.errors import MethodNotAllowed, NotFound
from caucus.web.routes import Routes, is_stream
from caucus.web.table import Table, endpoint_of

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
TABLE = Table(Routes.app.url_map)


def matched(path: list[str], method: str) -> Any:
    try:
        endpoint, arguments = Routes.app.url_map.bind("localhost").match("/" + "/".join(path), method)
    except exceptions.NotFound:
        return "not found"
    except exceptions.MethodNotAllowed as error:
        return tuple(sorted(error.valid_methods or ()))
    return endpoint, list(arguments.values())


def found(path: list[str], method: str) -> Any:
    endpoints, arguments = TABLE.find(path)
    try:
        return endpoint_of(endpoints, method.encode()), arguments
    except NotFound:
        return "not found"
    except MethodNotAllowed as error:
        return error.allowed


@given(st.lists(st.sampled_from(WORDS), min_size=1, max_size=5), st.sampled_from(METHODS))
def test_a_path_leads_where_werkzeug_takes_it(path: list[str], method: str) -> None:
    expected = matched(path, method)
    if is_stream(path) and method != "GET":
        expected = ("GET",)  # a literal segment has its own methods, and no others
    assert found(path, method) == expected


def test_every_rule_is_found() -> None:
    for rule in Routes.app.url_map.iter_rules():
        path = rule.rule.strip("/").replace("<", "").replace(">", "").split("/")
        for method in rule.methods or ():
            assert found(path, method)[0] == rule.endpoint


@pytest.mark.parametrize("path", ["/a/x<b>", "/<int:b>", "/<path:rest>"])
def test_a_rule_that_is_not_made_of_whole_segments_is_an_error(path: str) -> None:
    with pytest.raises(ValueError, match="whole segment"):
        Table(Map([Rule(path, endpoint="e")]))
