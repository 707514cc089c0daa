"""Tables of keys are, byte for byte, what the specification says; made entry by entry here."""

from __future__ import annotations

import random
import struct
from array import array
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from polyrecord.format.key_table import KeyTable, KeyTableBuilder

Blocks = Sequence[Sequence[int]]


def keys_a_cell(keys: int) -> int:
    """The greatest power of two that leaves twenty cells for each key, of 65,536 at most."""
    return max(1 << power for power in range(17) if power == 0 or (1 << power) * 20 * keys <= 1 << 32)


def table_of(blocks: Blocks, keys: int, count: int) -> bytes:
    """The table of these blocks where so many keys and blocks were announced."""
    per_cell, per_group = keys_a_cell(keys), max(-(-count // 256), 1)
    entries = sorted({(key // per_cell, at // per_group) for at, own in enumerate(blocks) for key in own})
    fences = pages = b""
    for at in range(0, len(entries), 128):
        own = entries[at : at + 128]
        steps = [after - cell for (cell, _), (after, _) in pairwise(own)]
        width, code = next(
            (w, c) for w, c in ((1, "B"), (2, "H"), (4, "I")) if max(steps, default=0) < 256**w
        )
        fences += struct.pack("<II", own[0][0], len(pages))
        pages += bytes((width,)) + struct.pack(f"<{len(steps)}{code}", *steps)
        pages += bytes(group for _, group in own)
    return struct.pack("<IIII", per_cell, len(entries), per_group, len(pages)) + fences + pages


def built(blocks: Blocks, keys: int, count: int) -> bytes:
    builder = KeyTableBuilder(keys, count)
    for own in blocks:
        builder.add(own)
    return builder.pack(lambda: None)


def scattered(blocks: int, each: int, pool: Sequence[int]) -> list[array[int]]:
    """Blocks of so many keys each, of a pool."""
    rng = random.Random(blocks)
    return [array("I", sorted(rng.sample(pool, each))) for _ in range(blocks)]


LAST = 2**32 - 1
near = st.builds(
    lambda base, by: min(base + by, LAST), st.sampled_from([0, 1 << 24, LAST - 300]), st.integers(0, 300)
)
some_keys = st.lists(st.integers(0, LAST) | near, max_size=40, unique=True).map(sorted)


@given(
    st.lists(some_keys, max_size=12),
    st.sampled_from([0, 1, 3000, 20_000, 10**6, 10**7, 10**8, 10**9]),
    st.sampled_from([12, 256, 257, 3000]),
)
@example([[0, 1 << 8, 1 << 16], [1 << 24, 1 << 25]], 10**9, 12)
def test_a_table_is_the_one_that_the_specification_describes(
    blocks: list[list[int]], keys: int, count: int
) -> None:
    """Announced numbers decide on the cells: from 65,536 keys a cell to one."""
    assert built(blocks, keys, count) == table_of(blocks, keys, count)


@given(st.lists(st.permutations([0, 5, 1 << 24, (1 << 24) + 70_000, 1 << 31, LAST]), max_size=4))
def test_keys_that_are_not_in_order_make_the_same_table(blocks: list[list[int]]) -> None:
    """Announced are so many keys that there are many buckets."""
    assert built(blocks, 10**7, 4) == table_of(blocks, 10**7, 4)


@pytest.mark.parametrize(
    "pool", [range(0, 1 << 32, 1_048_583), range(0, 1 << 32, 4001), range(70_000)], ids=len
)
@pytest.mark.parametrize("blocks", [3, 60, 600])
def test_so_is_one_of_many_keys_that_come_again_or_lie_close(blocks: int, pool: range) -> None:
    made = scattered(blocks, 300, pool)
    assert built(made, 300 * blocks, blocks) == table_of(made, 300 * blocks, blocks)


def test_keys_may_be_any_sequence_and_a_block_may_have_none() -> None:
    blocks: list[Sequence[int]] = [array("I", [1, 1 << 20]), (), [1 << 20, LAST], (5, 6)]
    assert built(blocks, 6, 4) == table_of(blocks, 6, 4)
    assert built([(), ()], 0, 2) == struct.pack("<IIII", 1 << 16, 0, 1, 0)


@pytest.mark.parametrize("keys", [26_300, 37_000, 52_400, 52_500])
def test_whatever_the_number_of_keys_a_table_has_two_bytes_a_key_and_one_wrong_key_in_twenty_at_most_hits(
    keys: int,
) -> None:
    """Twice the keys have the same cells, just before they get twice as many."""
    rng = random.Random(keys)
    blocks = [sorted(rng.sample(range(1 << 32), keys // 50)) for _ in range(50)]
    raw = built(blocks, keys, 50)
    assert 2.0 < len(raw) / keys < 2.3
    table = KeyTable(memoryview(raw), 0)
    wrong = [rng.randrange(1 << 32) for _ in range(4000)]
    named = sum(bool(table.blocks(key, key, 50)) for key in wrong)
    assert 1 / 50 < named / len(wrong) < 1 / 17


def test_others_may_run_after_every_few_thousand_keys() -> None:
    """Eight buckets of 25,000 keys: four runs are sorted, then merged, and made into pages in two steps."""
    blocks = scattered(100, 2000, range(0, 1 << 32, 1009))
    builder, breaths = KeyTableBuilder(200_000, 100), []
    for own in blocks:
        builder.add(own)
    builder.pack(lambda: breaths.append(1))
    assert len(breaths) == 8 * (4 + 1 + 2)


def test_a_table_of_few_keys_is_made_without_a_pause() -> None:
    builder = KeyTableBuilder(1000, 1)
    builder.add(range(1000))
    builder.pack(lambda: pytest.fail("paused"))
