"""A thousand random corruptions in every run; `scripts/torture` tries a hundred thousand."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.hostile.corruptions import run


@pytest.mark.parametrize("seed", [1, random.SystemRandom().randrange(1 << 32)], ids=["same", "new"])
def test_nothing_wrong_is_returned_and_nothing_goes_missing_untold(tmp_path: Path, seed: int) -> None:
    result = run(500, seed, tmp_path / "archive")
    assert result.tried == 500
    assert result.lines_lost > 0
    assert result.ok, "\n".join(result.examples)
