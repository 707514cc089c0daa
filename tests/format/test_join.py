"""Joined blocks hold the lines of their parts, and their keys are those of all parts together."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.format.block import BlockHeader, BlockIndex, pack_block, parse_header
from polyrecord.format.block_keys import BlockKeys
from polyrecord.format.constants import OPAQUE, UNINDEXED
from polyrecord.format.join import MOST_INDEX, Joined, join_blocks
from tests.format.samples import START, block, line
from tests.format.spec import block_of

Part = tuple[bool, list[int], list[int]]
"""Whether a block's header lists its keys, and its trace and value keys."""


def members(parts: Sequence[Part]) -> list[bytes]:
    """Blocks of one line each."""
    made = []
    for seq, (is_listed, traces, values) in enumerate(parts, 1):
        stamp = START + seq
        index = BlockIndex(
            1, seq, seq, seq, seq, stamp, stamp, {"signal": 1}, flags=OPAQUE if is_listed else UNINDEXED,
            trace_keys=traces if is_listed else (), value_keys=values if is_listed else (),
        )  # fmt: skip
        made.append(pack_block(line(seq), index))
    return made


def joined(parts: Sequence[Part], *, listed: bool) -> list[Joined]:
    """The blocks joined; of those whose headers list no keys the lines are asked."""

    def keys_of(content: bytes, header: BlockHeader) -> BlockKeys:
        assert content == line(header.first_seq)
        is_listed, traces, values = parts[header.first_seq - 1]
        assert not is_listed
        return BlockKeys(0, header.paths, traces, values)

    return list(join_blocks(members(parts), keys_of, listed=listed))


keys = st.lists(st.integers(0, 20) | st.integers(0, 2**32 - 1), max_size=12, unique=True).map(sorted)
some = st.lists(st.tuples(st.booleans(), keys, keys), min_size=1, max_size=6)


@given(some, st.booleans())
def test_lines_and_keys_of_a_joined_block_are_those_of_all_its_parts(parts: list[Part], listed: bool) -> None:
    (one,) = joined(parts, listed=listed)
    assert gzip.decompress(one.member) == b"".join(map(line, range(1, len(parts) + 1)))
    traces = sorted({key for _, own, _ in parts for key in own})
    values = sorted({key for _, _, own in parts for key in own})
    flags = OPAQUE if any(is_listed for is_listed, _, _ in parts) else 0
    assert one.keys == (flags, (), traces, values)
    told = block_of(one.member)
    if listed and all(is_listed for is_listed, _, _ in parts):
        assert (told["flags"], told["trace_keys"], told["value_keys"]) == (flags, traces, values)
    else:
        assert (told["flags"], told["trace_keys"], told["value_keys"]) == (flags | UNINDEXED, [], [])


@pytest.mark.parametrize(("shared", "blocks"), [(True, 1), (False, 4)])
def test_parts_are_joined_as_long_as_the_keys_together_fit_a_header(*, shared: bool, blocks: int) -> None:
    """Four blocks of 5,000 keys: a header has room for 7,400."""
    ranges = [range(5000) if shared else range(number, 20_000, 4) for number in range(4)]
    parts = [(True, list(own)[::2], list(own)[1::2]) for own in ranges]
    made = joined(parts, listed=True)
    assert len(made) == blocks
    assert all(4 * (len(one.keys.trace_keys) + len(one.keys.value_keys)) < MOST_INDEX for one in made)
    assert len(joined(parts, listed=False)) == 1


def test_a_single_block_that_lists_its_keys_stays_as_it_is() -> None:
    (member,) = [block(1, 10)]
    (one,) = join_blocks([member], lambda *_: pytest.fail("lines were asked"), listed=True)
    assert one.member == member
    told = asdict(parse_header(member))
    assert one.keys == (0, (), told["trace_keys"].tolist(), [])
