"""The lines of a planned block: inflated and checked, or proven where it is not as it was planned."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from polyrecord.format.block import BadHeader, BlockHeader, parse_header
from polyrecord.format.content import BadBlock, check_lines, inflate_content
from polyrecord.format.mend import described, lines_of
from polyrecord.format.scan import HEADER_DAMAGED
from polyrecord.read.explain import Explain, Finding
from polyrecord.read.lines import ended_lines
from polyrecord.read.match import Matcher
from polyrecord.read.moved import lines_elsewhere
from polyrecord.read.plan import PlannedBlock


class Loaded(NamedTuple):
    """Header and content of a block, empty where nothing can be had; its lines where they were split.

    Each of the lines ends with its line feed.
    """

    header: BlockHeader
    content: bytes
    ended: list[bytes] | None = None


def load(
    planned: PlannedBlock,
    member: bytes,
    matcher: Matcher,
    explain: Explain,
    *,
    everything: bool = False,
) -> tuple[BlockHeader, bytes]:
    """Header and lines of a block's bytes; no lines when none can match or, with a finding, when damaged.

    Where only the block's header is damaged the finding says so, and the lines are given under a header told
    by them. Where another file has taken the shard's place, they are given from there. The header's member
    length is then 0: `member` is not to be copied.
    """
    loaded = load_split(planned, member, matcher, explain, everything=everything, split=False)
    return loaded.header, loaded.content


def load_split(
    planned: PlannedBlock,
    member: bytes,
    matcher: Matcher,
    explain: Explain,
    *,
    everything: bool = False,
    split: bool = True,
) -> Loaded:
    """What `load` gives, and the lines one by one: to split them is faster than to count line feeds."""
    explain.bytes_read += len(member)
    ended: list[bytes] | None = None
    try:
        header = _header_of(planned, member)
        if not everything and not matcher.takes_types_of(header):
            explain.skipped_by_type += 1
            return Loaded(header, b"")
        content = inflate_content(member, header)
        ended = ended_lines(content) if split else None
        check_lines(content, len(ended) if ended is not None else content.count(b"\n"), header)
    except (BadHeader, BadBlock) as error:
        header, content = _load_anyhow(planned, member, str(error), explain)
        ended = None
        if not content:
            return Loaded(header, content)
    explain.blocks_read += 1
    explain.bytes_inflated += len(content)
    return Loaded(header, content, ended)


def _header_of(planned: PlannedBlock, member: bytes) -> BlockHeader:
    """The header of the block that was planned; raises BadHeader when another stands in its place."""
    header = parse_header(member)
    if (header.first_seq, header.last_seq, header.events) != (
        planned.first_seq, planned.last_seq, planned.events,
    ) or (planned.content_crc and member[-8:-4] != planned.content_crc.to_bytes(4, "little")):  # fmt: skip
        raise BadHeader("not the block that belongs here")
    return header


def _load_anyhow(
    planned: PlannedBlock, member: bytes, error: str, explain: Explain
) -> tuple[BlockHeader, bytes]:
    """The lines of a block whose member is not as it was planned, where they can be proven."""
    moved = lines_elsewhere(planned.info, planned.first_seq, planned.last_seq, planned.events)
    if moved is not None:
        return moved
    try:
        content = lines_of(member, planned.content_length, planned.content_crc)
        header = described(content, 0)
        if header is not None and _is_planned(planned, header):
            _note(planned, explain)
            return replace(header, paths=planned.paths), content
        error = "its lines are not those that belong here" if header is not None else error
    except BadBlock:
        pass
    explain.found(damaged(planned, f"block is damaged: {error}"))
    return _NO_HEADER, b""


def _is_planned(planned: PlannedBlock, header: BlockHeader) -> bool:
    return (header.first_seq, header.last_seq, header.events) == (
        planned.first_seq, planned.last_seq, planned.events,
    )  # fmt: skip


def _note(planned: PlannedBlock, explain: Explain) -> None:
    """Say once that a header is damaged; whoever hopped over the shard has said so already."""
    finding = Finding(planned.info.path, planned.offset, planned.length, 0, HEADER_DAMAGED)
    if finding not in explain.damage:
        explain.found(finding)


def damaged(planned: PlannedBlock, reason: str) -> Finding:
    """The finding that a block, which headers or directory count as kept, cannot be had."""
    events = planned.events
    return Finding(planned.info.path, planned.offset, planned.length, events, reason, counted=events)


_NO_HEADER = BlockHeader(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
