"""What a latency event says, and the stages that are expected in it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from polyrecord.errors import ConfigError
from polyrecord.events.stages import DEFAULT_STAGES, END_TO_END

_declared: tuple[str, ...] = DEFAULT_STAGES


def declared_stages() -> tuple[str, ...]:
    """The stages every latency event of this process has, for recorders that name none themselves."""
    return _declared


def declare_stages(*names: str) -> tuple[str, ...]:
    """Names the stages of this process in pipeline order; returns them in full (`send` is `send_ms`).

    They hold for the default recorder and every other that was made without stages of its own. Raises
    ConfigError on a name that is empty, given twice or that of the sum.
    """
    global _declared
    _declared = checked_stages(names)
    return _declared


def checked_stages(names: Iterable[str]) -> tuple[str, ...]:
    """The stage names in full; raises ConfigError like `declare_stages`."""
    stages = tuple(stage_name(name) for name in names)
    twice = [name for number, name in enumerate(stages) if name in stages[:number]]
    if twice:
        raise ConfigError(f"stage {twice[0]!r} is declared twice")
    if END_TO_END in stages:
        raise ConfigError(f"{END_TO_END} cannot be declared", hint="it is the sum of the declared stages")
    return stages


def stage_name(name: str) -> str:
    """The name with its unit: `book_to_signal` and `book_to_signal_ms` are one stage."""
    if not isinstance(name, str) or name in ("", "_ms"):
        raise ConfigError(f"not the name of a stage: {name!r}", hint='such as "book_to_signal_ms"')
    return name if name.endswith("_ms") else f"{name}_ms"


def build_latency(stages: Mapping[str, object], declared: Iterable[str]) -> dict[str, object]:
    """The data of a latency event, in milliseconds: declared stages in order, others, `end_to_end_ms`.

    A declared stage that is missing, and a value that is NaN or infinite, is null and never 0. The end to end
    is the sum of the declared stages, null when one of them is null; one that the caller measured is kept.
    Negative values are kept: a clock that went wrong should be seen.
    """
    data: dict[str, object] = {name: _number(stages.get(name)) for name in declared}
    total = _sum(data)
    data.update((name, _number(value)) for name, value in stages.items() if name not in data)
    measured = data.pop(END_TO_END, None)
    data[END_TO_END] = total if measured is None else measured
    return data


def _number(value: object) -> object:
    if value is None or type(value) is int or isinstance(value, str):
        return value
    try:
        # Also Decimal, Fraction and the scalars of numpy, which orjson does not write as numbers.
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return value  # never raises into a strategy: kept as it is, and validation says what is wrong
    return number if math.isfinite(number) else None


def _sum(data: Mapping[str, object]) -> float | None:
    values = [value for value in data.values() if isinstance(value, (int, float))]
    if len(values) < len(data) or not values:
        return None
    try:
        total = math.fsum(values)  # rounded once: 10.5 + 5.2 + 3.1 + 15.8 is 34.6
    except OverflowError:
        return None
    return total if math.isfinite(total) else None
