"""The table of routes: the Klein app's own URL map, made into one that a path is split for just once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from werkzeug.routing import Map

from caucus.errors import MethodNotAllowed, NotFound

_VARIABLE = re.compile(r"<\w+>")


class _Node:
    """What may follow one beginning of a path; ``endpoints`` are those of a path that ends here."""

    __slots__ = ("endpoints", "literals", "variable")

    def __init__(self) -> None:
        self.literals: dict[str, _Node] = {}
        self.variable: _Node | None = None
        self.endpoints: dict[bytes, str] = {}


class Table:
    """Finds endpoints as Werkzeug does: a literal segment wins over a variable one.

    :param url_map: its rules have literal segments, and variable ones that are a segment as a whole.
    """

    def __init__(self, url_map: Map) -> None:
        self._root = _Node()
        for rule in url_map.iter_rules():
            node = self._root
            for segment in rule.rule.strip("/").split("/"):
                if _VARIABLE.fullmatch(segment):
                    node = _variable(node)
                elif "<" in segment:
                    raise ValueError(f"{rule.rule}: only a whole segment can be variable")
                else:
                    node = node.literals.setdefault(segment, _Node())
            node.endpoints.update((method.encode(), rule.endpoint) for method in rule.methods or ())

    def find(self, segments: Sequence[str]) -> tuple[Mapping[bytes, str], list[str]]:
        """The endpoints of a path by method, none if it is no route, and its variable segments, in order."""
        arguments: list[str] = []
        node = _follow(self._root, segments, 0, arguments)
        return ({} if node is None else node.endpoints), arguments


def endpoint_of(endpoints: Mapping[bytes, str], method: bytes) -> str:
    """The endpoint for a method. Raises `NotFound`, or `MethodNotAllowed` with those that there are."""
    found = endpoints.get(method)
    if found is not None:
        return found
    if not endpoints:
        raise NotFound
    raise MethodNotAllowed(tuple(sorted(allowed.decode() for allowed in endpoints)))


def _variable(node: _Node) -> _Node:
    if node.variable is None:
        node.variable = _Node()
    return node.variable


def _follow(node: _Node, segments: Sequence[str], depth: int, arguments: list[str]) -> _Node | None:
    """The node where the path ends and some endpoint is; ``arguments`` gains the variable segments."""
    if depth == len(segments):
        return node if node.endpoints else None
    segment = segments[depth]
    literal = node.literals.get(segment)
    if literal is not None:
        found = _follow(literal, segments, depth + 1, arguments)
        if found is not None:
            return found
    if node.variable is None:
        return None
    kept = len(arguments)
    arguments.append(segment)
    found = _follow(node.variable, segments, depth + 1, arguments)
    if found is None:
        del arguments[kept:]
    return found
