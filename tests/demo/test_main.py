"""The command: stderr tells, stdout stays empty, and the exit code says how it went."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest

from polyrecord.demo.main import main
from tests.demo.archive import events, of_type
from tests.demo.plain_book import PlainBook

pytestmark = pytest.mark.usefixtures("no_waiting")


def synthetic_frames(path: Path, frames: int = 400) -> PlainBook:
    """Write updates, one snapshot and touches in hftbacktest's form; the book they end on."""
    random, truth, lines, number = Random(3), PlainBook(), [], 0
    for step in range(frames):
        if step == 5:
            sides = {"bids": [["99.5", "3"]], "asks": [["100.5", "3"]]}
            lines.append({"lastUpdateId": number, **sides})
        first, number = number + 1, number + random.randint(1, 5)
        middle = 10_000 + random.randint(-60, 60)
        levels = {
            "b": [[str(Decimal(middle - random.randint(1, 9)) / 100), str(random.randint(0, 3))]],
            "a": [[str(Decimal(middle + random.randint(1, 9)) / 100), str(random.randint(0, 3))]],
        }
        data = {"e": "depthUpdate", "s": "ETHUSDT", "U": first, "u": number, **levels}
        lines.append({"stream": "ethusdt@depth@100ms", "data": data})
        touch = {
            "s": "ETHUSDT",
            "b": str(Decimal(middle) / 100),
            "B": "2",
            "a": str(Decimal(middle + 1) / 100),
        }
        lines.append({"stream": "ethusdt@bookTicker", "data": {"u": number + 1, "A": "2", **touch}})
    for line in lines:
        truth.take(line)
    text = "".join(
        f"{1723161254000000000 + 10_000_000 * at} {json.dumps(line)}\n" for at, line in enumerate(lines)
    )
    path.write_bytes(gzip.compress(text.encode()))
    return truth


def test_a_recording_is_rebuilt_to_the_book_it_ends_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth = synthetic_frames(tmp_path / "spot.gz")
    assert main(["--root", str(tmp_path / "r"), "--frames", str(tmp_path / "spot.gz")]) == 0
    touch = f"ETHUSDT {max(truth.bids):f} / {min(truth.asks):f}"
    out, err = capsys.readouterr()
    assert out == ""
    assert "801 frames (0 unknown, kept all the same), " in err
    assert touch in err


def test_the_simulated_venue_is_the_default(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--root", str(tmp_path), "--ticks", "150"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("150 frames (0 unknown")
    lines = events(tmp_path)
    assert f"Recorded {len(lines):,} events" in err
    assert {line["bot_id"] for line in lines} == {"demo"}


def test_ticks_cut_a_recording_too(tmp_path: Path) -> None:
    synthetic_frames(tmp_path / "spot.gz")
    main(["--root", str(tmp_path / "r"), "--frames", str(tmp_path / "spot.gz"), "--ticks", "30"])
    assert len(of_type(events(tmp_path / "r"), "raw_frame")) == 30


def test_a_torn_recording_keeps_what_it_holds_and_exits_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    synthetic_frames(tmp_path / "spot.gz")
    torn = tmp_path / "torn.gz"
    torn.write_bytes((tmp_path / "spot.gz").read_bytes()[:-100])
    assert main(["--root", str(tmp_path / "r"), "--frames", str(torn)]) == 3
    assert len(of_type(events(tmp_path / "r"), "raw_frame")) > 500
    assert f"where: {torn}, after frame " in capsys.readouterr().err


def test_a_recording_that_is_not_there_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(tmp_path / "r"), "--frames", str(tmp_path / "none")]) == 2
    assert "no file with frames" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("ticks", ["0", "-5", "many"])
def test_ticks_below_one_are_a_usage_error(tmp_path: Path, ticks: str) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["--root", str(tmp_path), "--ticks", ticks])
    assert exit_.value.code == 2
