"""Every row runs, at a size that proves nothing but that it does."""

from __future__ import annotations

from math import isfinite

import goals
import pytest
from row import TINY


@pytest.mark.parametrize("name", goals.NAMES)
def test_a_row_runs_and_gives_finite_figures(name: str) -> None:
    (row,) = goals.rows([name])
    result = row.measure(TINY)
    assert row.name == name
    assert result.values()
    assert all(map(isfinite, result.values()))
    assert "{" not in row.where.format(**result.facts)
    assert all(table.lines() for table in result.tables)


def test_every_row_states_its_method_and_its_profile() -> None:
    for row in goals.rows():
        assert len(row.method) > 100
        assert row.profile


def test_the_table_has_every_goal_there_is() -> None:
    titles = {row.title for row in goals.rows()}
    assert len(titles) == len(goals.NAMES)
