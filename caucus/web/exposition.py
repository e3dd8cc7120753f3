"""Metrics in the Prometheus text format."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from itertools import accumulate
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.utils import floatToGoString

from caucus.metrics import Histogram, Labels, Metric, Reading


def exposition(metrics: Iterable[Metric]) -> bytes:
    """All of them as they are now, and what runs."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector((*metrics, _BUILD)))
    return generate_latest(registry)


class _Collector:
    """What the library asks for families."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Family]:
        return map(_family, self._metrics)


def _family(metric: Metric) -> Family:
    if isinstance(metric, Histogram):
        histogram = HistogramMetricFamily(metric.name, metric.meaning, labels=metric.labels)
        bounds = [*map(floatToGoString, metric.bounds), "+Inf"]
        for labels, buckets, total in metric.cells():
            histogram.add_metric(labels, list(zip(bounds, accumulate(buckets), strict=True)), total)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.meaning, labels=metric.labels)
    for labels, value in metric.values().items():
        family.add_metric(labels, value)
    return family


def _build() -> Mapping[Labels, float]:
    return {(version("caucus-backbone"), version("twisted"), platform.python_version()): 1}


_BUILD: Final = Reading("caucus_build_info", "What runs.", _build, ("version", "twisted", "python"))
