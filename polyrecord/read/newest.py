"""When the newest event was: headers tell where to look, one or two blocks tell exactly."""

from __future__ import annotations

from polyrecord.read.archive import ShardInfo
from polyrecord.read.blocks import PlannedBlock, ShardPlan, load, plan_shard, sift_block, sift_plain
from polyrecord.read.explain import Explain
from polyrecord.read.files import ShardFile
from polyrecord.read.lines import read_head
from polyrecord.read.match import Matcher
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source
from polyrecord.times import format_ts, parse_ts


def newest_event(
    source: Source, selection: Selection | None = None, explain: Explain | None = None
) -> int | None:
    """The time in ns of the newest event that is selected, None when there is none.

    Dates are looked at from the last on, blocks from the one that ends last; it stops when no block left can
    hold a newer event.
    """
    wanted = selection or Selection()
    counts = explain if explain is not None else Explain()
    search = _Newest(Matcher(wanted), counts)
    shards = sorted(source.shards(wanted, counts), key=lambda info: info.name.date, reverse=True)
    for date in dict.fromkeys(info.name.date for info in shards):
        newest = search.look([info for info in shards if info.name.date == date])
        if newest is not None:
            return parse_ts(newest)
    return None


class _Newest:
    def __init__(self, matcher: Matcher, explain: Explain) -> None:
        self._matcher, self._explain = matcher, explain

    def look(self, shards: list[ShardInfo]) -> str | None:
        """The newest selected time in these shards."""
        newest = b""
        blocks: list[PlannedBlock] = []
        for info in shards:
            plan = plan_shard(info, self._matcher, self._explain)
            blocks += plan.blocks
            newest = max(newest, self._in_plain(plan))
        for block in sorted(blocks, key=lambda block: block.max_ts, reverse=True):
            if format_ts(block.max_ts).encode() <= newest:
                break
            newest = max(newest, self._in_block(block))
        return newest.decode() or None

    def _in_block(self, block: PlannedBlock) -> bytes:
        try:
            with ShardFile(block.info) as file:
                member = file.read_at(block.offset, block.length)
        except OSError:
            return b""
        header, content = load(block, member, self._matcher, self._explain)
        if not content:
            return b""
        if self._matcher.takes_all_of(header):
            return format_ts(header.max_ts).encode()
        lines = sift_block(block, header, content, self._matcher, self._explain).lines
        return max((read_head(line).ts for line in lines), default=b"")

    def _in_plain(self, plan: ShardPlan) -> bytes:
        newest = b""
        for reader in plan.plain:
            while lines := reader.read():
                heads = sift_plain(reader, lines, self._matcher, self._explain).heads or []
                newest = max([newest, *(head.ts for head in heads)])
        return newest
