"""Counters and histograms, with no library: whoever measures counts here. How they are shown is the web's.

Names begin with ``caucus_`` and end in their unit. A label has few values: an operation, a code, an
outcome, a reason; never a channel or an agent.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal

Labels = tuple[str, ...]
"""The values of a metric's labels, in the order of their names."""

SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for what should take milliseconds."""
SIZES: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0)
"""Bounds for how many there are of something at once."""


class Counter:
    """What only rises, one number for each combination of its labels' values.

    :param known: the combinations that are 0 from the beginning, so that a first one shows as a rise.
    """

    kind: Final = "counter"
    __slots__ = ("_values", "labels", "meaning", "name")

    def __init__(
        self, name: str, meaning: str, labels: Sequence[str] = (), known: Iterable[Labels] = ()
    ) -> None:
        self.name = name
        self.meaning = meaning
        self.labels = tuple(labels)
        self._values = defaultdict[Labels, float](float, dict.fromkeys(known if labels else [()], 0.0))

    def add(self, values: Labels = (), by: float = 1) -> None:
        """Count ``by`` more."""
        self._values[values] += by

    def values(self) -> Mapping[Labels, float]:
        """The numbers as they are now."""
        return self._values


class Reading:
    """What is looked up when somebody asks: a ``gauge``, or a ``counter`` that is kept elsewhere."""

    __slots__ = ("_read", "kind", "labels", "meaning", "name")

    def __init__(
        self,
        name: str,
        meaning: str,
        read: Callable[[], float] | Callable[[], Mapping[Labels, float]],
        labels: Sequence[str] = (),
        kind: Literal["gauge", "counter"] = "gauge",
    ) -> None:
        self.name = name
        self.meaning = meaning
        self.labels = tuple(labels)
        self.kind = kind
        self._read = read

    def values(self) -> Mapping[Labels, float]:
        """The numbers as they are now."""
        found = self._read()
        return found if isinstance(found, Mapping) else {(): found}


class Histogram:
    """How often something was how large.

    :param bounds: the upper bounds of its buckets, rising; one without a bound follows.
    """

    kind: Final = "histogram"
    __slots__ = ("_cells", "bounds", "labels", "meaning", "name")

    def __init__(self, name: str, meaning: str, bounds: Sequence[float], labels: Sequence[str] = ()) -> None:
        self.name = name
        self.meaning = meaning
        self.bounds = tuple(bounds)
        self.labels = tuple(labels)
        self._cells = defaultdict[Labels, list[float]](self._empty)
        if not labels:
            self._cells[()] = self._empty()

    def observe(self, value: float, values: Labels = ()) -> None:
        """It was this large once more."""
        cell = self._cells[values]
        cell[bisect_left(self.bounds, value)] += 1
        cell[-1] += value

    def cells(self) -> Iterator[tuple[Labels, Sequence[float], float]]:
        """For each combination of labels: how many fell into each bucket, and the sum of all."""
        for values, cell in self._cells.items():
            yield values, cell[:-1], cell[-1]

    def counts(self) -> Mapping[Labels, float]:
        """How many there were, for each combination of labels."""
        return {values: sum(buckets) for values, buckets, _sum in self.cells()}

    def _empty(self) -> list[float]:
        return [0.0] * (len(self.bounds) + 2)  # and the bucket without a bound, and the sum


Metric = Counter | Reading | Histogram
