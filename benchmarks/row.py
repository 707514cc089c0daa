"""What a benchmark measures and says: goals, verdicts, tables of all candidates, and the reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal, TypeAlias

Verdict: TypeAlias = Literal["met", "missed", "not measured"]


@dataclass(frozen=True, slots=True)
class Scale:
    """How much work a run does."""

    name: str
    sizes: tuple[int, ...]  # events of the archives that show how cost grows
    day: int  # events of the archive that all other questions go to
    month: int  # latency events over 30 dates
    lines: int  # events that size, grep and stdin work on
    replayed: int  # events that replay gives
    sustained: int  # events recorded as fast as it goes
    bursts: int  # of record() calls
    legs: int  # of the event loop, each of `leg_seconds`
    leg_seconds: float
    rounds: int  # of whole processes
    budget: float  # seconds after which a slow candidate takes no further turn


FULL = Scale(
    "full",
    sizes=(1_000_000, 10_000_000, 30_000_000),
    day=10_000_000,
    month=4_500_000,
    lines=500_000,
    replayed=1_000_000,
    sustained=1_000_000,
    bursts=300,
    legs=5,
    leg_seconds=4.0,
    rounds=5,
    budget=15.0,
)
QUICK = Scale(
    "quick",
    sizes=(700_000, 1_000_000),
    day=1_000_000,
    month=450_000,
    lines=100_000,
    replayed=100_000,
    sustained=200_000,
    bursts=40,
    legs=2,
    leg_seconds=1.5,
    rounds=2,
    budget=2.0,
)
TINY = Scale(
    "tiny",
    sizes=(600, 1_200),
    day=1_200,
    month=600,
    lines=1_200,
    replayed=1_200,
    sustained=2_000,
    bursts=2,
    legs=1,
    leg_seconds=0.1,
    rounds=1,
    budget=0.0,
)


@dataclass(frozen=True, slots=True)
class Check:
    """One goal and what was measured: `value` is at most (or at least) `bound`, both of the unit."""

    value: float | None
    bound: float
    unit: str  # "s", "times bare orjson.dumps"
    what: str = ""  # which part of the row, where it has several
    least: bool = False
    why: str = ""  # there is no value

    @property
    def verdict(self) -> Verdict:
        """Whether the goal is reached; NaN never is."""
        if self.value is None:
            return "not measured"
        reached = self.value >= self.bound if self.least else self.value <= self.bound
        return "met" if reached else "missed"

    @property
    def goal(self) -> str:
        """The goal in words."""
        return f"at {'least' if self.least else 'most'} {number(self.bound)} {self.unit}"

    @property
    def result(self) -> str:
        """What was measured, in words."""
        if self.value is None:
            return self.why
        unit = self.unit.split()[0].rstrip(",")
        return number(self.value) if unit == "of" else f"{number(self.value)} {unit}"


@dataclass(frozen=True, slots=True)
class Table:
    """The figures of all candidates; None where one could not take part. `ours` is what the others are
    compared with, `digits` how many there are behind the point."""

    title: str
    unit: str
    figures: Mapping[str, float | None]
    ours: str = ""
    digits: int = 3

    def lines(self) -> list[str]:
        """One line a candidate, with its ratio to ours."""
        width = max(map(len, self.figures), default=0)
        return [f"{self.title}:", *(f"  {name:{width}}  {self._figure(name)}" for name in self.figures)]

    def _figure(self, name: str) -> str:
        value, ours = self.figures[name], self.figures.get(self.ours)
        if value is None:
            return "not installed"
        text = f"{value:12,.{self.digits}f} {self.unit}"
        return f"{text}  {value / ours:8.2f} times {self.ours}" if ours and name != self.ours else text


@dataclass(frozen=True, slots=True)
class Result:
    """What one run of a row found; `facts` fill its paragraph."""

    checks: tuple[Check, ...]
    tables: tuple[Table, ...]
    facts: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def values(self) -> list[float]:
        """Every figure there is."""
        figures = [value for table in self.tables for value in table.figures.values()]
        found = [*figures, *(check.value for check in self.checks), *self.facts.values()]
        return [value for value in found if value is not None]

    @property
    def finite(self) -> bool:
        """Whether every figure is a number."""
        return all(map(isfinite, self.values()))


@dataclass(frozen=True, slots=True)
class Row:
    """One benchmark: `where` says where the time goes, with `{names}` of the result's facts in it."""

    name: str
    title: str
    method: str
    where: str
    measure: Callable[[Scale], Result]
    profile: str = ""  # the command that shows where


def number(value: float) -> str:
    """Three digits that matter, thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
