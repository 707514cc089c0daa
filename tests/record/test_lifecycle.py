"""From the first event to the end of the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from polyrecord.errors import ConfigError
from polyrecord.record import default
from polyrecord.record.recorder import EventRecorder
from polyrecord.record.registry import open_recorders
from polyrecord.testing import read_lines
from tests.record.archives import footers, names


def run(code: str, root: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=root, text=True, capture_output=True, timeout=60,
        env={**os.environ, **environment}, check=False,
    )  # fmt: skip


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("polyrecord")]


def test_nothing_happens_before_the_first_event(tmp_path: Path) -> None:
    root = tmp_path / "archive"
    with EventRecorder(root) as recorder:
        assert threads() == []
        assert recorder.flush().wait(0).events == 0
        assert recorder.stats().recorded == 0
    assert not root.exists()


def test_a_recorder_that_was_never_used_closes_at_once(tmp_path: Path) -> None:
    recorder = EventRecorder(tmp_path)
    assert recorder.close().wait(0).ok
    assert not recorder.record("signal", {})
    assert list(tmp_path.iterdir()) == []


def test_closing_twice_is_harmless_and_says_the_same(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {})
        first = recorder.close().wait(5)
    assert recorder.close().wait(0) == first
    assert recorder.closed


def test_the_threads_end_with_the_recorder(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {})
        assert threads()[:2] == ["polyrecord-writer", "polyrecord-drain"]
    for thread in threading.enumerate():
        if thread.name.startswith("polyrecord"):
            thread.join(5)
    assert threads() == []


def test_what_is_recorded_after_close_is_refused_and_counted(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as recorder:
        recorder.record("signal", {"n": 1})
    assert not recorder.record("signal", {"n": 2})
    assert not recorder.record_raw(b"frame", source="venue")
    assert not recorder.record_trade("t", "0.5", "1", "BUY")
    assert not recorder.log_event("x", {})
    assert recorder.stats().refused == 4
    assert [event["data"]["n"] for event in read_lines(tmp_path)] == [1]


def test_an_error_in_the_bot_leaves_a_whole_archive(tmp_path: Path) -> None:
    def bot() -> None:
        with EventRecorder(tmp_path) as recorder:
            recorder.record("signal", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        bot()
    assert all(footer.clean for footer in footers(tmp_path).values())
    assert len(read_lines(tmp_path)) == 1


def test_events_recorded_while_another_thread_closes_are_written_or_refused(tmp_path: Path) -> None:
    kept: list[int] = []

    def work(name: int) -> None:
        kept.append(sum(recorder.record("signal", {"n": n}) for n in range(2000)))

    recorder = EventRecorder(tmp_path)
    workers = [threading.Thread(target=work, args=(name,)) for name in range(4)]
    for worker in workers:
        worker.start()
    assert recorder.close().wait(10).ok
    for worker in workers:
        worker.join()
    assert len(read_lines(tmp_path)) == sum(kept) == 8000 - recorder.stats().refused


def test_two_recorders_of_a_process_are_two_writers(tmp_path: Path) -> None:
    with EventRecorder(tmp_path) as one, EventRecorder(tmp_path) as other:
        one.record("signal", {"n": 1})
        other.record("signal", {"n": 2})
    assert {name.writer for name in names(tmp_path)} == {one.writer, other.writer}
    assert sorted(event["seq"] for event in read_lines(tmp_path)) == [1, 1]


def test_an_interpreter_that_ends_closes_what_a_bot_left_open(tmp_path: Path) -> None:
    code = """if True:
        from polyrecord.record.recorder import EventRecorder
        recorder = EventRecorder("archive", flush_interval=3600)
        for n in range(1000):
            recorder.record("signal", {"n": n})
    """
    done = run(code, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(read_lines(tmp_path)) == 1000
    assert [footer.clean for footer in footers(tmp_path / "archive").values()] == [True]


def test_an_interpreter_that_ends_with_an_error_does_too(tmp_path: Path) -> None:
    code = """if True:
        from polyrecord.record.recorder import EventRecorder
        recorder = EventRecorder("archive")
        recorder.record("signal", {})
        raise SystemExit(7)
    """
    assert run(code, tmp_path).returncode == 7
    assert len(read_lines(tmp_path)) == 1


def test_a_killed_process_leaves_what_was_flushed(tmp_path: Path) -> None:
    code = f"""if True:
        import os
        from polyrecord.record.recorder import EventRecorder
        recorder = EventRecorder("archive", flush_interval=3600)
        for n in range(10):
            recorder.record("signal", {{"n": n}})
        recorder.flush().wait()
        os.kill(os.getpid(), {int(signal.SIGKILL)})
    """
    assert run(code, tmp_path).returncode == -signal.SIGKILL
    assert [name.sealed for name in names(tmp_path / "archive")] == [False]
    assert len(read_lines(tmp_path)) == 10


@pytest.fixture
def no_default() -> Iterator[None]:
    """A process without a default recorder; the one a test makes is closed."""
    assert open_recorders() == []
    default._configured = None
    yield
    for recorder in {*open_recorders(), *filter(None, [default._configured])}:
        recorder.close().wait(5)
    default._configured = None


@pytest.mark.usefixtures("no_default")
def test_the_configured_recorder_is_the_default(tmp_path: Path) -> None:
    with EventRecorder(tmp_path / "other") as other:
        other.record("signal", {})
        configured = default.configure(root=tmp_path / "mine", bot_id="b")
        assert default.default_recorder() is configured


@pytest.mark.usefixtures("no_default")
def test_a_default_is_configured_once_and_again_after_it_is_closed(tmp_path: Path) -> None:
    first = default.configure(root=tmp_path)
    with pytest.raises(ConfigError, match="configured already"):
        default.configure(root=tmp_path)
    first.close()
    assert default.configure(root=tmp_path) is not first


@pytest.mark.usefixtures("no_default")
def test_without_a_configured_one_the_oldest_open_recorder_is_the_default(tmp_path: Path) -> None:
    recorders = [EventRecorder(tmp_path) for _ in range(8)]
    for recorder in reversed(recorders):
        recorder.record("signal", {})
    for recorder in recorders:
        assert default.default_recorder() is recorder
        recorder.close().wait(5)


@pytest.mark.usefixtures("no_default")
def test_without_any_recorder_one_is_made_without_set_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POLYRECORD_ROOT", str(tmp_path / "archive"))
    made = default.default_recorder()
    assert made.root == tmp_path / "archive"
    assert default.default_recorder() is made
    assert not made.root.exists()


def test_the_root_is_the_current_directory_where_nothing_is_said(tmp_path: Path) -> None:
    code = """if True:
        from polyrecord.record.default import default_recorder
        default_recorder().record("signal", {})
    """
    assert run(code, tmp_path).returncode == 0
    assert [name.stream for name in names(tmp_path)] == ["data/events"]


@pytest.mark.parametrize(
    "options",
    [{"overload": "drop_everything"}, {"index_keys": ["market"]}, {"stages": ["a", "a"]}],
)
def test_an_option_that_makes_no_sense_is_refused_before_anything_is_done(
    tmp_path: Path, options: dict[str, str]
) -> None:
    with pytest.raises(ConfigError):
        EventRecorder(tmp_path, **options)  # type: ignore[arg-type]


def test_a_recorder_that_its_function_forgot_is_closed_at_exit(tmp_path: Path) -> None:
    """Nothing refers to it any more and the collector runs, but what it took is written."""
    program = (
        "import gc\n"
        "from polyrecord import EventRecorder\n"
        "def work():\n"
        f"    recorder = EventRecorder({str(tmp_path)!r}, flush_interval=60)\n"
        "    for number in range(50):\n"
        "        recorder.record('signal', {'n': number})\n"
        "work()\n"
        "gc.collect()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert [line["data"]["n"] for line in read_lines(tmp_path)] == list(range(50))
