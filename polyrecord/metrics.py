"""Latency: timing stages, recording and summarising them."""

from __future__ import annotations

from polyrecord.events.latency_data import declare_stages
from polyrecord.instrument.helpers import record_latency
from polyrecord.instrument.metrics import MetricsCollector, StageSummary, calculate_percentiles
from polyrecord.instrument.stage import stage

__all__ = [
    "MetricsCollector",
    "StageSummary",
    "calculate_percentiles",
    "declare_stages",
    "record_latency",
    "stage",
]
