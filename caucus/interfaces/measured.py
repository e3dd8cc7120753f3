"""What counts what it does. No code."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import Attribute, Interface

from caucus.metrics import Metric


class IMeasured(Interface):
    """What a backbone or a journal may provide beside its own interface: it counts what it does."""

    metrics: Sequence[Metric] = Attribute("What it counts, from its beginning on.")
