"""What is counted, as a test reads it."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from caucus.web.exposition import exposition

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples_of(text: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(metrics: Any, name: str, **labels: str) -> float:
    found = samples_of(exposition(metrics).decode())
    return found.get((name, tuple(sorted(labels.items()))), 0.0)
