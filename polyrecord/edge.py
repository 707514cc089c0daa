"""Expected profit after costs, and the decision taken on it."""

from __future__ import annotations

from polyrecord.events.edge_math import Decision, EdgeBreakdown, calculate_net_edge
from polyrecord.instrument.helpers import record_decision

__all__ = ["Decision", "EdgeBreakdown", "calculate_net_edge", "record_decision"]
