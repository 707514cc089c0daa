"""What hypothesis may make of blocks."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from polyrecord.format.block import BlockIndex

U32 = 2**32 - 1
U64 = 2**64 - 1
I64 = st.integers(-(2**63), 2**63 - 1)


@dataclass(frozen=True)
class Sample:
    """Some lines, and an index of them that need not be true."""

    content: bytes
    index: BlockIndex


def lines() -> st.SearchStrategy[bytes]:
    """Any text without line breaks, many of them, each ended by a line feed."""
    text = st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=60)
    return st.lists(text, min_size=1, max_size=30).map(lambda rows: "".join(f"{r}\n" for r in rows).encode())


def names(limit: int) -> st.SearchStrategy[list[str]]:
    """Names of types or paths, unicode too, none of them too long for an index."""
    text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
    return st.lists(text, max_size=limit, unique=True)


def keys() -> st.SearchStrategy[list[int]]:
    """Keys as a block lists them."""
    return st.lists(st.integers(0, U32), max_size=50, unique=True).map(sorted)


@st.composite
def samples(draw: st.DrawFn) -> Sample:
    """Lines with an index of any numbers, types, paths and keys; the number of events is true."""
    content = draw(lines())
    u32, u64 = st.integers(0, U32), st.integers(0, U64)
    index = BlockIndex(
        events=content.count(b"\n"), first_seq=draw(u64), last_seq=draw(u64), first_ordinal=draw(u64),
        last_ordinal=draw(u64), min_ts=draw(I64), max_ts=draw(I64),
        types={name: draw(u32) for name in draw(names(6))}, lost=draw(u32),
        flags=draw(st.integers(0, 0xFFFF)), paths=tuple(draw(names(4))),
        trace_keys=draw(keys()), value_keys=draw(keys()),
    )  # fmt: skip
    return Sample(content, index)
