"""The formats of other systems' logs, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

from polyrecord.errors import UsageError
from polyrecord.foreign import FORMATS
from polyrecord.foreign.cryptofeed import CryptofeedParser
from polyrecord.foreign.generic import GenericParser, parse_mapping
from polyrecord.foreign.hftbacktest import HftbacktestParser
from polyrecord.foreign.metastacker import MetastackerParser, period_of, topic_of
from polyrecord.foreign.otlp import OtlpParser
from polyrecord.foreign.outcome import Parser
from polyrecord.foreign.polyarb import PolyarbParser
from polyrecord.foreign.polytraders import PolytradersParser
from polyrecord.foreign.rows import CsvParser
from polyrecord.foreign.tickscope import TickscopeParser

MAPPED: Final = ("generic", "csv")
_SUMMARIES: Final = {
    "polyarb": "PolyArb-X",
    "metastacker": "MetaStackerBandit",
    "polytraders": "Polytraders decisions",
    "hftbacktest": "hftbacktest frames",
    "cryptofeed": "cryptofeed frames",
    "tickscope": "Tickscope ticks",
    "otlp": "OTLP/JSON",
    "csv": "CSV",
    "generic": "JSON lines",
}
_PLAIN: Final[dict[str, Callable[[], Parser]]] = {
    "polyarb": PolyarbParser,
    "polytraders": PolytradersParser,
    "hftbacktest": HftbacktestParser,
    "cryptofeed": CryptofeedParser,
    "tickscope": TickscopeParser,
    "otlp": OtlpParser,
}


@dataclass(frozen=True, slots=True)
class Format:
    """A format with its options: `identity` tells it from all others, `parser` makes one for each file."""

    name: str
    identity: str
    parser: Callable[[], Parser] = field(compare=False)
    summary: str = ""


def choose_format(
    name: str,
    *,
    ts: str | None = None,
    event_type: str | None = None,
    trace: str | None = None,
    path: PurePath | None = None,
) -> Format:
    """The format of a name, with its field mapping where it takes one; raises UsageError.

    `path` is where a file lies: what that says of its content is used.
    """
    if name not in FORMATS:
        raise UsageError(f"not a format of logs: {name[:80]!r}", hint=f"one of {', '.join(FORMATS)}")
    summary = _SUMMARIES[name]
    if name in MAPPED:
        mapping = parse_mapping(ts, event_type, trace)
        parser = GenericParser if name == "generic" else CsvParser
        return Format(name, f"{name} {mapping.label}", lambda: parser(mapping), summary)
    if (ts, event_type, trace) != (None, None, None):
        hint = f"{name} has its own; --from {' or '.join(MAPPED)} takes them"
        raise UsageError("--ts and fields of type and trace are for other formats", hint=hint)
    if name == "metastacker":
        topic, period = (None, None) if path is None else (topic_of(path), period_of(path))
        identity = " ".join(filter(None, (name, topic, period)))
        return Format(name, identity, lambda: MetastackerParser(topic, period), summary)
    return Format(name, name, _PLAIN[name], summary)
