"""The formats that can be imported, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from polyrecord.errors import UsageError
from polyrecord.foreign import FORMATS
from polyrecord.foreign.cryptofeed import CryptofeedParser
from polyrecord.foreign.generic import GenericParser, parse_mapping
from polyrecord.foreign.hftbacktest import HftbacktestParser
from polyrecord.foreign.outcome import Parser


@dataclass(frozen=True, slots=True)
class Format:
    """A format with its options: `identity` tells it from all others, `parser` makes one for each file."""

    name: str
    identity: str
    parser: Callable[[], Parser]


def choose_format(
    name: str, *, ts: str | None = None, event_type: str | None = None, trace: str | None = None
) -> Format:
    """The format of a name, for generic with its field mapping; raises UsageError."""
    if name == "generic":
        mapping = parse_mapping(ts, event_type, trace)
        return Format(name, f"{name} {mapping.label}", lambda: GenericParser(mapping))
    if (ts, event_type, trace) != (None, None, None):
        raise UsageError("--ts, --type and --trace go with --from generic only", hint=f"{name} has its own")
    if name == "hftbacktest":
        return Format(name, name, HftbacktestParser)
    if name == "cryptofeed":
        return Format(name, name, CryptofeedParser)
    raise UsageError(f"not a format to import from: {name[:80]!r}", hint=f"one of {', '.join(FORMATS)}")
