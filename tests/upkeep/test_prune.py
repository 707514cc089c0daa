"""Retention applied to real archives: what goes, what stays, and what is told of it."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from polyrecord.errors import ArchiveMissing, UsageError
from polyrecord.format.layout import PRUNED, manifest_path
from polyrecord.read.archive import Archive
from polyrecord.read.coverage import coverage
from polyrecord.read.explain import Explain
from polyrecord.read.pruned import pruned_shards, read_ledger
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.upkeep import deletion, moving
from polyrecord.upkeep import prune as prune_module
from polyrecord.upkeep.labels import remark
from polyrecord.upkeep.prune import Pruned, prune
from polyrecord.upkeep.retention import ALL, Retention, policy_of
from tests.read.archives import open_again
from tests.upkeep.shelf import DAY, FIRST, OTHER, RUN, events_of, ledger, lines, record_days

NOW = FIRST + 10 * DAY  # the last day is 9
WEEK = Retention({ALL: policy_of(7 * 86_400, None, None)})


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Ten days of signals and books, 40 a day of each."""
    record_days(tmp_path / "archive", range(10))
    return tmp_path / "archive"


def pruned(root: Path, retention: Retention = WEEK, now: int = NOW, **more: Any) -> Pruned:
    return prune(root, retention, now, **more)


def test_what_is_too_old_goes_and_the_rest_is_untouched(root: Path) -> None:
    before = lines(root)
    answer = pruned(root)
    gone = set(before) - set(lines(root))
    assert len(gone) == 2 * 3 * 40 == sum(one.shard.events for one in answer.shards)
    assert events_of(root) == {"data/events": 280, "data/books": 280}
    assert not [path for path in root.glob("data/*/*") if not any(path.iterdir())]


def test_a_dry_run_touches_nothing_and_tells_the_same(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    told = pruned(root, dry_run=True)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    assert [one.shard for one in told.shards] == [one.shard for one in pruned(root).shards]


def test_a_second_run_finds_nothing_to_do(root: Path) -> None:
    pruned(root)
    before = ledger(root)
    assert (pruned(root).shards, ledger(root)) == ((), before)


def test_the_ledger_says_what_the_shards_held(root: Path) -> None:
    before, sizes = (
        lines(root),
        {str(path.relative_to(root)): path.stat().st_size for path in root.rglob("*.gz")},
    )
    pruned(root)
    gone = set(before) - set(lines(root))
    for entry in ledger(root):
        name = f"{entry['stream'].partition('/')[2]}-{entry['writer']}-{entry['number']:04}.jsonl.gz"
        seqs = [seq for stream, _, seq in gone if stream == entry["stream"]]
        inside = [seq for seq in seqs if entry["first_seq"] <= seq <= entry["last_seq"]]
        assert (len(inside), min(inside), max(inside)) == (
            entry["events"], entry["first_seq"], entry["last_seq"],
        )  # fmt: skip
        assert entry["bytes"] == sizes[f"{entry['stream']}/date={entry['date']}/{name}"]
        assert entry["reason"] == "older than 7 days"


def test_deleted_events_are_neither_lost_nor_unknown(root: Path) -> None:
    pruned(root, Retention({"data/books": policy_of(7 * 86_400, None, None)}))
    found = coverage(Archive(root))
    assert (found.events, found.lost, found.unknown, found.pruned, found.ratio) == (680, 0, 0, 120, 1.0)
    told = {each.stream: (each.events, each.unknown, each.pruned) for each in found.streams}
    assert told == {"data/books": (280, 0, 120), "data/events": (400, 0, 0)}
    events = coverage(Archive(root), Selection(streams=frozenset({"data/events"})))
    assert (events.events, events.pruned) == (400, 0)


def test_the_ledger_is_on_the_disk_before_a_shard_goes(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: set[int] = set()
    real, unlink = os.fsync, Path.unlink

    def fsync(descriptor: int) -> None:
        synced.add(os.fstat(descriptor).st_ino)
        real(descriptor)

    def checked(path: Path, **more: Any) -> None:
        told = [entry for entry in ledger(root) if entry["bytes"] == path.stat().st_size]
        assert told or path.suffix != ".gz"
        assert {file.stat().st_ino for file in (root / PRUNED).iterdir()} <= synced
        assert (root / PRUNED).stat().st_ino in synced
        unlink(path, **more)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(Path, "unlink", checked)
    assert len(pruned(root).shards) == 6


@pytest.mark.parametrize("after", range(7))
def test_a_prune_that_is_killed_leaves_a_true_account_and_a_rerun_goes_on(
    root: Path, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    done: list[Any] = []
    real = deletion.delete_shard

    class Killed(BaseException):
        pass

    def dying(root: Path, shard: Any) -> bool:
        if len(done) == after:
            raise Killed
        done.append(shard)
        return real(root, shard)

    with monkeypatch.context() as patch:
        patch.setattr(prune_module, "delete_shard", dying)
        if after < 6:
            with pytest.raises(Killed):
                pruned(root)
        else:
            pruned(root)
    found = coverage(Archive(root))
    assert (found.pruned, found.unknown, found.events) == (40 * after, 0, 800 - 40 * after)
    pruned(root)
    found = coverage(Archive(root))
    assert (found.pruned, found.unknown, found.events) == (240, 0, 560)


def test_two_at_once_are_harmless(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one does all of its work between this one's ledger and its first deletion."""
    real = deletion.write_ledger

    def and_then(root: Path, entries: Any) -> Path | None:
        path = real(root, entries)
        with monkeypatch.context() as patch:
            patch.setattr(prune_module, "write_ledger", real)
            assert len(prune(root, WEEK, NOW).shards) == 6
        monkeypatch.setattr(prune_module, "write_ledger", real)
        return path

    monkeypatch.setattr(prune_module, "write_ledger", and_then)
    answer = pruned(root)
    assert (answer.shards, answer.failed) == ((), ())
    assert len(ledger(root)) == 12
    assert (coverage(Archive(root)).pruned, len(pruned_shards(root))) == (240, 6)


def test_open_shards_are_never_touched(root: Path) -> None:
    oldest = min(root.glob("data/books/*/*.gz"))
    lying_open = open_again(oldest)
    pruned(root, Retention({ALL: policy_of(3600, 1, 1)}), force=True)
    assert lying_open.exists()


def test_a_labelled_run_is_kept_until_the_label_is_kept_no_more(root: Path) -> None:
    record_days(root, range(3), OTHER)
    remark(root, OTHER, label="incident-17")
    answer = pruned(root, Retention(WEEK.policies, ("incident-17", "no-such-run")))
    assert {one.shard.name.writer for one in answer.shards} == {RUN}
    assert (len(answer.held), answer.unknown) == (6, ("no-such-run",))
    assert {one.shard.name.writer for one in pruned(root).shards} == {OTHER}


def test_a_clock_years_ahead_wipes_nothing(root: Path) -> None:
    before = lines(root)
    answer = pruned(root, now=FIRST + 4000 * DAY)
    assert lines(root) == before
    assert (answer.shards, answer.withheld) == ((), ("data/books", "data/events"))
    assert len(pruned(root, now=FIRST + 4000 * DAY, force=True).shards) == 20
    assert lines(root) == []


def test_everything_may_be_deleted_and_the_job_goes_on_running(root: Path) -> None:
    pruned(root, now=FIRST + 4000 * DAY, force=True)
    assert pruned(root).shards == ()
    with pytest.raises(ArchiveMissing):
        pruned(root / "nowhere")


def test_the_manifest_goes_when_nothing_could_be_kept_any_more(root: Path) -> None:
    record_days(root, range(3), OTHER)
    pruned(root)
    assert not (root / manifest_path(OTHER)).exists()
    assert (root / manifest_path(RUN)).exists()
    assert [entry["file"] for entry in ledger(root) if "file" in entry] == [str(manifest_path(OTHER))]
    assert read_ledger(root).damaged == 0


def test_the_manifest_stays_while_another_stream_is_kept_longer(root: Path) -> None:
    record_days(root, range(3), OTHER)
    policies = {**WEEK.policies, "data/metrics": policy_of(30 * 86_400, None, None)}
    pruned(root, Retention(policies))
    assert (root / manifest_path(OTHER)).exists()


def test_a_damaged_shard_goes_by_its_headers_and_a_plain_one_by_its_date(root: Path) -> None:
    damaged, plain = sorted(root.glob("data/events/*/*.gz"))[:2]
    os.truncate(damaged, damaged.stat().st_size - 20)
    plain.write_bytes(b'{"ts":"2026-11-02T12:00:00Z","seq":1,"event_type":"x"}\n')
    before = Explain()
    events = coverage(Archive(root), explain=before).events
    assert events == 800 - 40
    pruned(root)
    found = coverage(Archive(root))
    assert (found.events, found.pruned) == (560, 200)
    assert found.unknown == 40  # those of the shard that was overwritten


def test_a_symbolic_link_is_not_followed(root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "old.jsonl").write_text("{}\n")
    os.utime(outside / "old.jsonl", (0, 0))
    (root / "logs/_rejects").parent.mkdir(exist_ok=True)
    (root / "logs/_rejects").symlink_to(outside)
    retention = Retention({"logs/_rejects": policy_of(86_400, None, None)})
    assert pruned(root, retention).files == ()
    assert (outside / "old.jsonl").exists()


def test_rejects_and_quarantine_have_an_age_of_their_own(root: Path) -> None:
    for name, age in (
        ("logs/_quarantine/w/a.bin", 9),
        ("logs/_quarantine/w/b.bin", 2),
        ("logs/_rejects/r", 9),
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"bytes")
        at = NOW - age * DAY
        os.utime(path, ns=(at, at))
    answer = pruned(root, Retention({"logs/_quarantine": policy_of(5 * 86_400, None, None)}))
    assert [(file.place, file.bytes) for file in answer.files] == [("logs/_quarantine/w/a.bin", 5)]
    assert not (root / "logs/_quarantine/w/a.bin").exists()
    assert (root / "logs/_quarantine/w/b.bin").exists()
    assert (root / "logs/_rejects/r").exists()


def test_the_ledger_can_be_read_by_owner_and_group_only(root: Path) -> None:
    pruned(root)
    (file,) = (root / PRUNED).iterdir()
    assert stat.S_IMODE(file.stat().st_mode) & 0o007 == 0


def test_what_cannot_be_removed_is_told_and_counts_as_here(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = deletion.delete_shard

    def failing(root: Path, shard: Any) -> bool:
        if shard.name.number == 2:
            raise PermissionError(13, "Permission denied")
        return real(root, shard)

    monkeypatch.setattr(prune_module, "delete_shard", failing)
    answer = pruned(root)
    assert {failure.reason for failure in answer.failed} == {"Permission denied"}
    assert (len(answer.shards), len(answer.failed)) == (4, 2)
    found = coverage(Archive(root))
    assert (found.events, found.pruned, found.unknown) == (640, 160, 0)


# Into another archive


def moved(root: Path, cold: Path, **more: Any) -> Pruned:
    return pruned(root, Retention({ALL: policy_of(7 * 86_400, None, None, cold)}), **more)


def test_what_moves_is_the_same_there_and_gone_here(root: Path, tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    before, bytes_before = lines(root), {path.name: path.read_bytes() for path in root.rglob("*.gz")}
    moved(root, cold)
    assert sorted(lines(root) + lines(cold)) == before
    assert all(path.read_bytes() == bytes_before[path.name] for path in cold.rglob("*.gz"))
    assert {(entry["reason"], entry["to"]) for entry in ledger(root)} == {("archived", str(cold))}
    for place in (root, cold):
        found = coverage(Archive(place))
        assert (found.lost, found.unknown, found.unclean) == (0, 0, ())
    assert not list(cold.glob(".incoming*"))


def test_the_other_archive_has_a_retention_of_its_own(root: Path, tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    moved(root, cold)
    moved(root, cold, now=NOW + DAY)
    pruned(cold, Retention({ALL: policy_of(9 * 86_400, None, None)}))
    found = coverage(Archive(cold))
    assert (found.events, found.pruned, found.unknown) == (240, 80, 0)


def test_what_was_deleted_here_is_no_loss_there(root: Path, tmp_path: Path) -> None:
    pruned(root, Retention({ALL: policy_of(8 * 86_400, None, None)}))
    cold = tmp_path / "cold"
    moved(root, cold)
    found = coverage(Archive(cold))
    assert (found.events, found.pruned, found.unknown) == (80, 160, 0)


def test_a_move_that_was_killed_is_done_again(root: Path, tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    copied = min(root.glob("data/books/*/*.gz"))
    target = cold / copied.relative_to(root)
    target.parent.mkdir(parents=True)
    shutil.copy(copied, target)
    assert len(moved(root, cold).shards) == 6


def test_a_shard_of_the_same_name_there_is_never_overwritten(root: Path, tmp_path: Path) -> None:
    cold = tmp_path / "cold"
    mine = min(root.glob("data/books/*/*.gz"))
    theirs = cold / mine.relative_to(root)
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"something else")
    answer = moved(root, cold)
    assert [failure.path for failure in answer.failed] == [mine]
    assert (mine.exists(), theirs.read_bytes(), len(answer.shards)) == (True, b"something else", 5)


def test_a_damaged_shard_stays_here_and_is_told(root: Path, tmp_path: Path) -> None:
    mine = min(root.glob("data/books/*/*.gz"))
    raw = bytearray(mine.read_bytes())
    raw[300] ^= 0xFF
    mine.write_bytes(raw)
    answer = moved(root, tmp_path / "cold")
    assert [failure.path for failure in answer.failed] == [mine]
    assert mine.exists()
    assert not (tmp_path / "cold" / mine.relative_to(root)).exists()


# While others read


def test_a_shard_that_goes_while_it_is_read_is_no_damage(root: Path) -> None:
    explain = Explain()
    events = iter(Replay(Archive(root), Selection(), explain=explain))
    first = [next(events) for _ in range(10)]
    pruned(root)
    rest = list(events)
    assert explain.damage == []
    assert len(first) + len(rest) >= 560


def test_shards_listed_and_gone_are_passed_over_quietly(root: Path) -> None:
    class Slow(Archive):
        """Lists the shards, and then retention comes."""

        def shards(self, *given: Any) -> Any:
            found = super().shards(*given)
            pruned(self.root)
            return found

    explain = Explain()
    assert sum(1 for _ in Replay(Slow(root), Selection(), explain=explain).lines()) == 560
    assert explain.damage == []
    found = coverage(Slow(root))
    assert (found.events, found.pruned, found.unknown) == (560, 240, 0)


def test_a_shard_that_goes_without_a_word_is_unknown_wherever_it_was(root: Path) -> None:
    shards = sorted(root.glob("data/books/*/*.gz"))
    for gone in (shards[0], shards[5], shards[-1]):
        content = gone.read_bytes()
        gone.unlink()
        found = coverage(Archive(root))
        assert (found.unknown, found.pruned) == (40, 0), gone
        gone.write_bytes(content)


def test_a_stream_that_goes_without_a_word_is_unknown(root: Path) -> None:
    shutil.rmtree(root / "data/books")
    found = coverage(Archive(root))
    assert (found.events, found.unknown) == (400, 400)


def test_windows_tell_of_their_own_time_only(root: Path) -> None:
    def day(number: int) -> tuple[int, int, int]:
        start = FIRST - DAY // 2 + number * DAY
        found = coverage(Archive(root), Selection(start, start + DAY, streams=frozenset({"data/books"})))
        return found.events, found.pruned, found.unknown

    pruned(root)
    sorted(root.glob("data/books/*/*.gz"))[2].unlink()  # day 5, untold
    assert [day(number) for number in range(3)] == [(0, 40, 0)] * 3
    assert day(3) == (40, 0, 0)
    assert day(5) == (0, 0, 40)
    assert day(8) == (40, 0, 0)


def test_a_damaged_ledger_costs_its_damaged_lines_only(root: Path) -> None:
    pruned(root)
    (file,) = (root / PRUNED).iterdir()
    kept, *rest = file.read_text().splitlines()
    broken = [
        rest[0][:50],
        '{"stream": "../../etc", "number": 1}',
        "[]",
        rest[1].replace('"events":', '"n":'),
    ]
    file.write_text("\n".join([kept, *broken, *rest[2:]]) + "\n")
    (root / PRUNED / "link.jsonl").symlink_to("/etc/passwd")
    found = read_ledger(root)
    assert (len(found.shards), found.damaged) == (4, 5)
    assert coverage(Archive(root)).unknown == 80


def test_an_entry_counts_only_while_its_shard_is_absent(root: Path) -> None:
    content = {path: path.read_bytes() for path in root.rglob("*.gz")}
    pruned(root)
    for path, data in content.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
    assert pruned_shards(root) == []
    assert coverage(Archive(root)).events == 800


@pytest.fixture
def held(root: Path) -> Iterator[Path]:
    """An open shard that a process holds."""
    path = open_again(max(root.glob("data/books/*/*.gz")))
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield path


def test_a_running_recorder_is_left_alone(root: Path, held: Path) -> None:
    answer = pruned(root, Retention({ALL: policy_of(86_400, 1, 1)}))
    assert held.exists()
    assert json.loads((root / manifest_path(RUN)).read_text())["writer"] == RUN
    assert not answer.failed


def test_a_move_that_finds_no_directory_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not taken for another prune that was faster."""

    def gone(*_: object) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(moving, "make_directory", gone)
    before = lines(root)
    done = prune(root, Retention({"*": policy_of(None, 1, None, root.parent / "cold")}), FIRST + 5 * DAY)
    assert done.failed
    assert {failure.reason for failure in done.failed} == {"No such file or directory"}
    assert (done.shards, lines(root)) == ((), before)


@pytest.mark.parametrize("inside", ["", "data", "sub/deep"])
def test_nothing_is_moved_into_the_archive_itself(root: Path, inside: str) -> None:
    retention = Retention({"*": policy_of(None, 1, None, root / inside)})
    for dry_run in (True, False):
        with pytest.raises(UsageError, match="the archive they are in"):
            prune(root, retention, FIRST + 5 * DAY, dry_run=dry_run)
