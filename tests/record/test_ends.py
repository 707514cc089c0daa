"""However a process ends short of kill -9, what was recorded is written: signals, exits, loops, children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from polyrecord.testing import read_lines
from tests.record.archives import assert_accounted, names

LAZY = """
import faulthandler, signal
from polyrecord import EventRecorder
faulthandler.register(signal.SIGUSR1)  # says where a process hangs, and its children
recorder = EventRecorder('a', flush_interval=60)

def stay():
    # Not one long sleep: a signal that comes between Python's last look and the call waits for its end.
    for _ in range(600):
        time.sleep(0.1)
"""


def start(program: str, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", LAZY + textwrap.dedent(program)], cwd=folder, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> int:
    with process:
        try:
            _, errors = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGUSR1)
            time.sleep(1)
            os.killpg(process.pid, signal.SIGKILL)
            pytest.fail(f"still there: {process.communicate()[1]}")
    assert "Traceback" not in errors.replace("KeyboardInterrupt", ""), errors
    return process.returncode


def recorded(folder: Path) -> list[int]:
    return sorted(event["data"]["n"] for event in read_lines(folder / "a") if event["event_type"] == "signal")


def assert_ended_in_order(folder: Path) -> None:
    assert all(name.sealed for name in names(folder / "a"))
    assert_accounted(folder / "a")


SLEEPS = """
    import time
    for n in range(100):
        recorder.record("signal", {"n": n})
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_the_process_ends_it_with_everything_written(
    tmp_path: Path, number: signal.Signals
) -> None:
    """And whoever waits for the process sees that it was this signal."""
    process = start(SLEEPS, tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    assert ended(process) == -number
    assert recorded(tmp_path) == list(range(100))
    assert_ended_in_order(tmp_path)


def test_ctrl_c_ends_the_process_with_everything_written(tmp_path: Path) -> None:
    process = start(SLEEPS, tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert recorded(tmp_path) == list(range(100))
    assert_ended_in_order(tmp_path)


def test_sigint_where_python_left_it_to_the_system_too(tmp_path: Path) -> None:
    program = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_DFL)\n{LAZY}{textwrap.dedent(SLEEPS)}"
    process = subprocess.Popen([sys.executable, "-c", program], cwd=tmp_path, text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)  # fmt: skip
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert ended(process) == -signal.SIGINT
    assert recorded(tmp_path) == list(range(100))


def test_a_signal_while_the_main_thread_is_inside_the_recorder_does_not_block(tmp_path: Path) -> None:
    """It may hold any lock of ours at that moment."""
    process = start(
        """
        print("ready", flush=True)
        n = 0
        while True:
            recorder.record("signal", {"n": n})
            recorder.record("signal", {}, stream="nowhere")
            recorder.flush()
            n += 1
        """,
        tmp_path,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert ended(process) == -signal.SIGTERM
    found = recorded(tmp_path)
    assert found == list(range(len(found)))
    assert_ended_in_order(tmp_path)


def test_a_handler_of_the_bots_own_is_left_alone(tmp_path: Path) -> None:
    process = start(
        """
        import signal, sys, time
        def end(*_):
            recorder.record("signal", {"n": 100})
            recorder.close().wait()
            sys.exit(7)
        signal.signal(signal.SIGTERM, end)
        """
        + SLEEPS.replace("\n    ", "\n        "),
        tmp_path,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    assert ended(process) == 7
    assert recorded(tmp_path) == list(range(101))


def test_signals_can_be_left_alone(tmp_path: Path) -> None:
    program = f"import signal\n{LAZY.replace('60', '60, signals=False')}recorder.record('x', {{}})\n"
    program += "print(signal.getsignal(signal.SIGTERM) is signal.SIG_DFL)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path, text=True, capture_output=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "True\n"


@pytest.mark.parametrize(
    "end",
    [
        "",
        "raise SystemExit(0)",
        "import threading\nt = threading.Thread(target=exit)\nt.start()\nt.join()",
        "async def main():\n    recorder.record('signal', {'n': 10})\nasyncio.run(main())",
        "loop = asyncio.new_event_loop()\nloop.run_until_complete(asyncio.sleep(0))\nloop.close()",
        "async def main():\n    await recorder.flush()\nasyncio.run(main())",
        "del recorder",
    ],
    ids=["end", "exit", "exit-in-thread", "loop", "closed-loop", "flush-in-loop", "forgotten"],
)
def test_an_orderly_end_needs_no_close(tmp_path: Path, end: str) -> None:
    process = start(
        f"import asyncio\nfor n in range(10):\n    recorder.record('signal', {{'n': n}})\n{end}", tmp_path
    )
    assert ended(process) == 0
    assert recorded(tmp_path)[:10] == list(range(10))
    assert_ended_in_order(tmp_path)


def test_an_exception_that_nobody_catches_loses_nothing(tmp_path: Path) -> None:
    process = start("recorder.record('signal', {'n': 0})\n1 / 0", tmp_path)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert recorded(tmp_path) == [0]
    assert_ended_in_order(tmp_path)


CHILDREN = """
    import multiprocessing, os, sys
    def work(number):
        for n in range(50):
            recorder.record("signal", {"n": number * 50 + n})
    def start_and_join(processes):
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    if __name__ == "__main__":
        recorder.record("signal", {"n": 0})
        context = multiprocessing.get_context("fork")
        %s
"""


@pytest.mark.parametrize(
    "ways",
    [
        "ps = [context.Process(target=work, args=(k,)) for k in (1, 2)]; start_and_join(ps)",
        "pool = context.Pool(2); pool.map(work, [1, 2]); pool.close(); pool.join()",
        "pool = context.Pool(2); pool.map(work, [1, 2]); pool.terminate(); pool.join()",
    ],
    ids=["process", "pool", "terminated-pool"],
)
def test_children_of_multiprocessing_lose_nothing(tmp_path: Path, ways: str) -> None:
    """They end without the interpreter's exit handlers, a terminated pool by SIGTERM."""
    process = start(CHILDREN % ways, tmp_path)
    assert ended(process) == 0
    assert recorded(tmp_path) == [0, *range(50, 150)]
    assert all(name.sealed for name in names(tmp_path / "a"))


def test_a_terminated_child_loses_nothing(tmp_path: Path) -> None:
    process = start(
        """
        import os, signal, time
        recorder.record("signal", {"n": 0})
        out, into = os.pipe()
        child = os.fork()
        if child == 0:
            recorder.record("signal", {"n": 1})
            os.write(into, b"ready")
            stay()
        os.read(out, 5)
        os.kill(child, signal.SIGTERM)
        assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGTERM
        """,
        tmp_path,
    )
    assert ended(process) == 0
    assert recorded(tmp_path) == [0, 1]
    assert all(name.sealed for name in names(tmp_path / "a"))


def test_the_handler_is_set_whichever_thread_records_first(tmp_path: Path) -> None:
    process = start(
        """
        import threading, time
        def work():
            recorder.record("signal", {"n": 0})
        t = threading.Thread(target=work)
        t.start()
        t.join()
        print("ready", flush=True)
        stay()
        """,
        tmp_path,
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.terminate()
    assert ended(process) == -signal.SIGTERM
    assert recorded(tmp_path) == [0]


def test_a_nohup_process_ignores_hangups_as_before(tmp_path: Path) -> None:
    program = "import signal\nsignal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + LAZY
    program += "recorder.record('signal', {'n': 0})\nimport os\nos.kill(os.getpid(), signal.SIGHUP)\n"
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False, timeout=60)
    assert done.returncode == 0
    assert recorded(tmp_path) == [0]


def test_the_descriptor_table_is_clean_after_a_close(tmp_path: Path) -> None:
    from polyrecord import EventRecorder

    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 - no path but a table
    for _ in range(3):
        with EventRecorder(tmp_path) as recorder:
            recorder.record("signal", {"n": 1})
            recorder.record("trade", {"n": 1})
            recorder.flush().wait(10)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
