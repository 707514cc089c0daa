"""Nine days of the soak: rotation, a crash a day, recovery and retention on a clock that runs ahead."""

from __future__ import annotations

from pathlib import Path

from tests.torture.soak import soak


def test_after_days_of_crashes_and_retention_nothing_is_lost_in_silence(tmp_path: Path) -> None:
    result = soak(tmp_path, days=9, events=60)
    assert (result.lost, result.wrong, result.problems, result.unknown) == (0, 0, 0, 0)
    assert result.acknowledged > 9 * 24 * 60
    assert result.pruned > 2 * 24 * 60
    assert result.good
