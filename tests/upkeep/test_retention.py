"""What has to go, decided from facts alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import ConfigError
from polyrecord.format.layout import ShardName
from polyrecord.settings.units import read_age, read_size
from polyrecord.times import SECOND, date_of
from polyrecord.upkeep.retention import ALL, Facts, Policy, Retention, decide, policy_of
from tests.upkeep.shelf import DAY, FIRST, OTHER, RUN

NOW = FIRST + 30 * DAY


def shard(age_days: int, size: int = 100, *, stream: str = "data/books", writer: str = RUN) -> Facts:
    """A shard whose newest event is so many days old."""
    at = NOW - age_days * DAY
    name = ShardName(stream, writer, 1000 - age_days, date_of(at), sealed=True)
    return Facts(name, size, 10, 1, 10, 1, 10, at - SECOND, at, 0, "", clean=False)


def ages(shards: list[Facts], policy: Policy, **more: object) -> list[int]:
    """The ages, in days, of those that go."""
    newest = max((one.max_ts for one in shards), default=None)
    decision = decide(shards, Retention({ALL: policy}), NOW, newest_ns=newest, **more)  # type: ignore[arg-type]
    return [(NOW - one.shard.max_ts) // DAY for one in decision.leaving]


SHARDS = [shard(age) for age in range(5)]


def test_what_is_older_than_the_age_goes_oldest_first() -> None:
    assert ages(SHARDS, policy_of(2 * 86_400, None, None)) == [4, 3]


def test_the_newest_shards_are_kept_by_number() -> None:
    assert ages(SHARDS, policy_of(None, 2, None)) == [4, 3, 2]


def test_the_newest_shards_are_kept_up_to_a_size() -> None:
    assert ages(SHARDS, policy_of(None, None, 250)) == [4, 3, 2]


def test_the_newest_shard_stays_however_large_it_is() -> None:
    assert ages([shard(3), shard(1, 10**9)], policy_of(None, None, 10)) == [3]


def test_once_it_is_too_much_nothing_older_stays() -> None:
    assert ages([shard(3, 1), shard(2, 500), shard(1)], policy_of(None, None, 200)) == [3, 2]


def test_limits_are_per_stream_and_a_stream_of_its_own_has_its_own() -> None:
    events = shard(9, stream="data/events")
    policies = {ALL: policy_of(5 * 86_400, None, None), "data/books": policy_of(None, 1, None)}
    newest = max(one.max_ts for one in SHARDS)
    decision = decide([*SHARDS, events], Retention(policies), NOW, newest_ns=newest)
    why = {(one.shard.name.stream, one.reason) for one in decision.leaving}
    assert why == {("data/books", "beyond the newest 1"), ("data/events", "older than 5 days")}


def test_a_run_that_is_kept_stays_and_does_not_count() -> None:
    held = [shard(age, writer=OTHER) for age in range(5)]
    decision = decide(
        [*SHARDS, *held],
        Retention({ALL: policy_of(None, 5, None)}),
        NOW,
        newest_ns=NOW,
        held=frozenset({OTHER}),
    )
    assert decision.leaving == ()
    old = policy_of(2 * 86_400, None, None)
    decision = decide([*SHARDS, *held], Retention({ALL: old}), NOW, newest_ns=NOW, held=frozenset({OTHER}))
    assert {one.shard.name.writer for one in decision.leaving} == {RUN}
    assert len(decision.held) == 2


def test_keep_names_labels_and_beginnings_of_writer_ids() -> None:
    retention = Retention({}, ("incident-17", "20261101t12"))
    assert retention.holds(RUN, ())
    assert not retention.holds(OTHER, ())
    assert retention.holds(OTHER, ("incident-17",))
    assert not retention.holds(OTHER, ("incident-1",))


def test_a_clock_years_ahead_deletes_nothing_by_age() -> None:
    policy = policy_of(30 * 86_400, None, None)
    decision = decide(SHARDS, Retention({ALL: policy}), NOW + 4000 * DAY, newest_ns=NOW)
    assert (decision.leaving, decision.withheld) == ((), ("data/books",))
    forced = decide(SHARDS, Retention({ALL: policy}), NOW + 4000 * DAY, newest_ns=NOW, force=True)
    assert len(forced.leaving) == len(SHARDS)


def test_a_clock_years_ahead_leaves_number_and_size_alone() -> None:
    policy = policy_of(30 * 86_400, 3, None)
    decision = decide(SHARDS, Retention({ALL: policy}), NOW + 4000 * DAY, newest_ns=NOW)
    assert [one.reason for one in decision.leaving] == ["beyond the newest 3"] * 2


def test_a_clock_before_the_archive_deletes_nothing() -> None:
    assert decide(SHARDS, Retention({ALL: policy_of(1, None, None)}), 0, newest_ns=NOW).leaving == ()


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(1, 1000), st.booleans()), max_size=20),
    st.none() | st.integers(1, 60), st.none() | st.integers(1, 10), st.none() | st.integers(1, 5000),
)  # fmt: skip
def test_whatever_the_limits_kept_runs_stay_and_what_stays_is_within_them(
    made: list[tuple[int, int, bool]], age: int | None, count: int | None, size: int | None
) -> None:
    shards = [
        Facts(
            ShardName("data/books", OTHER if kept else RUN, at + 1, date_of(NOW - days * DAY), sealed=True),
            length, 1, 1, 1, 1, 1, NOW - days * DAY, NOW - days * DAY, 0, "", clean=False,
        )
        for at, (days, length, kept) in enumerate(made)
    ]  # fmt: skip
    policy = policy_of(None if age is None else age * 86_400, count, size)
    decision = decide(shards, Retention({ALL: policy}), NOW, newest_ns=NOW, held=frozenset({OTHER}))
    going = {one.shard.name for one in decision.leaving}
    stays = [one for one in shards if one.name not in going and one.name.writer == RUN]
    assert all(name.writer == RUN for name in going)
    assert age is None or all(one.max_ts >= NOW - age * DAY for one in stays)
    assert count is None or len(stays) <= count
    assert size is None or sum(one.bytes for one in stays) <= size or len(stays) == 1


def test_a_policy_of_no_stream_is_refused() -> None:
    with pytest.raises(ConfigError, match="not a stream"):
        Retention({"../etc": Policy()})
    with pytest.raises(ConfigError, match="holds no shards"):
        Retention({"logs/_rejects": policy_of(None, 3, None)})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30d", 2_592_000), ("12h", 43_200), ("90s", 90), ("2w", 1_209_600), (7, 604_800), ("0.5d", 43_200)],
)
def test_ages_are_read(text: object, seconds: float) -> None:
    assert read_age(text) == seconds


def test_seven_years_are_never_a_day_short() -> None:
    assert read_age("7y") >= (7 * 365 + 2) * 86_400


@pytest.mark.parametrize("text", ["", "7", "d", "-3d", "0d", "1e9d", "3 months", True, None, "٣d"])
def test_what_is_no_age_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="a length of time"):
        read_age(text)


@pytest.mark.parametrize(
    ("text", "size"), [("50GB", 50 * 10**9), ("1.5KiB", 1536), (4096, 4096), ("10B", 10)]
)
def test_sizes_are_read(text: object, size: int) -> None:
    assert read_size(text) == size


@pytest.mark.parametrize("text", ["", "50", "GB", "0B", -1, True, "50 gb"])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ValueError, match="a size"):
        read_size(text)
