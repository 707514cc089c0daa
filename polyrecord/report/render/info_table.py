"""What an archive holds as a table for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import RenderableType

from polyrecord.report.info import ArchiveInfo, ShardRow
from polyrecord.report.render import words
from polyrecord.report.render.as_table import grid, heading, more, parts, top

_MOST_SHARDS = 20


@parts.register
def _info(answer: ArchiveInfo, width: int) -> Iterable[RenderableType]:
    yield from top(f"archive {words.shown(answer.root)}", answer.window, answer.coverage)
    columns = ["stream", "shards", "events", "size", "ratio", "first", "last"]
    rows = (
        (
            row.stream, f"{row.shards:,}", f"{row.events:,}", words.size(row.bytes), _ratio(row.ratio),
            words.minute(row.first_ts), words.minute(row.last_ts),
        )
        for row in answer.streams
    )  # fmt: skip
    yield grid(width, columns, rows)
    short = [row for row in answer.streams if row.lost or row.unknown or row.pruned]
    if short:
        yield heading("\nnot here")
        gone = ((row.stream, f"{row.lost:,}", f"{row.unknown:,}", f"{row.pruned:,}") for row in short)
        yield grid(width, ["stream", "dropped", "unknown", "pruned"], gone)
    yield heading("\nevent types")
    types = (
        (words.shown(name), row.stream, f"{count:,}")
        for row in answer.streams
        for name, count in row.types.items()
    )
    yield grid(width, ["type", "stream", "events"], types, texts=(0, 1))
    yield heading("\nshards")
    yield "\n".join(line for row in answer.shards[:_MOST_SHARDS] for line in _shard_lines(row))
    yield from more(len(answer.shards) - _MOST_SHARDS, "shards")


def _shard_lines(row: ShardRow) -> Iterable[str]:
    state = "sealed" if row.sealed else "open"
    if row.plain:
        state = f"{state}, in part without index" if row.blocks else "plain, without index"
    held = f"{words.count(row.events, 'event')} in {words.count(row.blocks, 'block')}"
    sizes = f"{words.size(row.bytes)}, ratio {_ratio(row.ratio)}"
    yield row.path
    yield f"  {state}, {held}, {sizes}"
    yield f"  {words.moment(row.first_ts)} to {words.moment(row.last_ts)}"


def _ratio(value: float | None) -> str:
    return words.NOTHING if value is None else f"{value:.1f}"
