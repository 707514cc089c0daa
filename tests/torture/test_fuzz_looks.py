"""What the fuzzer demands, of random bytes and of damaged seeds: a short slice of a minute's fuzzing."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.format.samples import block
from tests.torture.fuzz_looks import TARGETS, look, with_right_crc


@given(st.binary(min_size=2, max_size=600))
def test_any_bytes_are_read_without_another_error_than_those_named(data: bytes) -> None:
    look(data)


@pytest.mark.parametrize("target", range(len(TARGETS)))
@pytest.mark.parametrize("right_crc", [0, 64])
def test_damaged_blocks_are_too(target: int, right_crc: int) -> None:
    rng = random.Random(target + right_crc)
    whole = block(1, 5) + block(6, 3)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(rng.randrange(1, 6)):
            data[rng.randrange(min(len(data), 300))] = rng.randrange(256)
        look(bytes([right_crc | target]) + bytes(data))


def test_a_crc_that_was_put_right_makes_a_changed_header_valid() -> None:
    from polyrecord.format.block import BadHeader, parse_header

    changed = bytearray(block(1, 5))
    changed[0x1C] += 1  # the number of events
    with pytest.raises(BadHeader):
        parse_header(bytes(changed))
    assert parse_header(with_right_crc(bytes(changed))).events == 6
