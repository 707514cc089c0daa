"""verify, seal and recover on the command line: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from polyrecord.cli import lazy
from polyrecord.cli.app import main
from polyrecord.format.layout import MANIFESTS
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.replay import Replay
from polyrecord.read.selection import Selection
from polyrecord.record.identity import write_manifest
from tests.recovery import crashed
from tests.recovery.crashed import WRITER, block_offsets, open_shards, sealed_shards, tree

COMMANDS = {
    "verify": ("verify_", "verify_command", "Is the archive whole?"),
    "seal": ("recover_", "seal_command", "Seal what a crash left open."),
    "recover": ("recover_", "recover_command", "What can be read of a damaged archive."),
}


@pytest.fixture(autouse=True)
def _known(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, entry in COMMANDS.items():
        monkeypatch.setitem(lazy.COMMANDS, name, lazy.COMMANDS.get(name, entry))


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    code = main([str(word) for word in words])
    told = capsys.readouterr()
    return code, told.out, told.err


def answer(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(capsys, *words, "--format", "json")
    document: dict[str, Any] = json.loads(out)
    return code, document


def spoil(shard: Path) -> tuple[int, int]:
    """Damage a shard's second block; where it is and how many events it had."""
    data, (_, second, third, *_) = bytearray(shard.read_bytes()), block_offsets(shard)
    events = next(content for at, _, content in crashed.members(bytes(data)) if at == second).count(b"\n")
    data[third - 12] ^= 0xFF
    shard.write_bytes(data)
    return second, events


def test_verify_says_sound_and_exits_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crashed.record(tmp_path, crashed=False)

    code, out, _ = run(capsys, "verify", "--root", tmp_path)

    assert code == 0
    assert "sound: nothing is wrong" in out
    assert "coverage 100.00 %: 60 events kept, 0 dropped, 0 unknown" in out


def test_verify_exits_with_1_for_findings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crashed.record(tmp_path)

    code, out, _ = run(capsys, "verify", "--root", tmp_path)

    assert code == 1
    assert "hint: polyrecord seal" in out


def test_verify_exits_with_3_where_data_is_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crashed.record(tmp_path, crashed=False)
    offset, events = spoil(sealed_shards(tmp_path)[0])

    code, document = answer(capsys, "verify", "--root", tmp_path)

    assert code == 3
    assert (document["data_lost"], document["lost_events"]) == (True, events)
    assert document["coverage"]["unknown"] == events
    (problem,) = document["problems"]
    assert (problem["offset"], problem["events"], problem["loses_data"]) == (offset, events, True)
    code, out, _ = run(capsys, "verify", "--root", tmp_path)
    assert f"{events} events lost" in out


@pytest.mark.parametrize("command", ["verify", "seal", "recover"])
def test_there_is_no_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    more = ["--dry-run"] if command == "recover" else []
    code, out, err = run(capsys, command, "--root", tmp_path / "none", *more)

    assert (code, out) == (2, "")
    assert "no such directory" in err


def test_seal_seals_and_the_ledger_has_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crashed.record(tmp_path)
    torn = open_shards(tmp_path)[0]
    torn.write_bytes(torn.read_bytes() + b"torn")

    code, document = answer(capsys, "seal", "--root", tmp_path)

    assert code == 0
    assert [(one["writer"], one["events"], one["torn_bytes"]) for one in document["sealed"]] == [
        (WRITER, 60, 4)
    ]
    assert document["open"] == []
    selection = Selection(types=frozenset({"recovered"}))
    (event,) = Replay(Archive(tmp_path), selection, explain=Explain(strict=True))
    assert event.data == document["sealed"][0]
    kinds = [json.loads(path.read_text())["kind"] for path in (tmp_path / MANIFESTS).iterdir()]
    assert sorted(kinds) == ["recorder", "seal"]
    assert run(capsys, "verify", "--root", tmp_path)[0] == 0


def test_seal_again_finds_nothing_and_records_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crashed.record(tmp_path)
    run(capsys, "seal", "--root", tmp_path)
    before = tree(tmp_path)

    code, out, err = run(capsys, "seal", "--root", tmp_path)

    assert (code, out) == (0, "")
    assert "nothing to seal" in err
    assert tree(tmp_path) == before


def test_seal_with_dry_run_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crashed.record(tmp_path)
    before = tree(tmp_path)

    code, document = answer(capsys, "seal", "--root", tmp_path, "--dry-run")

    assert (code, document["sealed"]) == (0, [])
    assert [(one["events"], one["would_be_sealed"]) for one in document["open"]] == [(60, True)]
    assert tree(tmp_path) == before


def test_shards_from_before_a_restart_are_sealed_when_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crashed.record(tmp_path)
    write_manifest(tmp_path, WRITER, crashed.manifest_of(boot_id="before"))

    code, out, err = run(capsys, "seal", "--root", tmp_path)
    assert code == 0
    assert "left: from before a restart" in " ".join(out.split())
    assert "--everywhere" in err
    assert open_shards(tmp_path)

    code, _, _ = run(capsys, "seal", "--root", tmp_path, "--everywhere")
    assert (code, open_shards(tmp_path)) == (0, [])


def test_seal_exits_with_3_where_a_shard_cannot_be_sealed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    crashed.record(tmp_path, types=("signal",))
    (shard,) = open_shards(tmp_path)
    (shard.parent.parent / shard.name).write_bytes(b"in the way")

    code, out, err = run(capsys, "seal", "--root", tmp_path)

    assert code == 3
    assert "could not be" in out
    assert "is there already" in err


def test_recover_exits_with_0_1_and_3(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = crashed.record(tmp_path / "a", crashed=False)
    code, document = answer(capsys, "recover", "--root", root, "--out", tmp_path / "zero")
    assert (code, document["events"], document["verification"]["sound"]) == (0, 60, True)

    (sealed_shards(root)[0].parent / "note.txt").write_text("x")
    assert run(capsys, "recover", "--root", root, "--out", tmp_path / "one")[0] == 1

    _, events = spoil(sealed_shards(root)[0])
    code, out, _ = run(capsys, "recover", "--root", root, "--out", tmp_path / "three")
    assert code == 3
    assert f"{60 - events} events kept" in out
    assert f"{events} events lost" in out
    code, document = answer(capsys, "recover", "--root", root, "--dry-run")
    assert (code, document["lost_events"], document["out"]) == (3, events, None)


def test_recover_takes_one_of_out_and_dry_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    crashed.record(tmp_path / "a")
    assert run(capsys, "recover", "--root", tmp_path / "a")[0] == 2
    assert run(capsys, "recover", "--root", tmp_path / "a", "--dry-run", "--out", tmp_path / "b")[0] == 2
    assert run(capsys, "verify", "--root", tmp_path / "a", "--format", "csv")[0] == 2


def test_names_of_files_do_not_steer_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = crashed.record(tmp_path, crashed=False)
    (sealed_shards(root)[0].parent / "\x1b[31mred").write_text("x")

    _, out, err = run(capsys, "verify", "--root", root)

    assert "\x1b" not in out + err
    assert "red" in out


def test_verify_has_the_coverage_line_of_every_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(5):
        crashed.record(tmp_path, 1, f"{WRITER}{number}", sampling={"orderbook_delta": 0.1})

    _, out, _ = run(capsys, "verify", "--root", tmp_path)
    _, info, _ = run(capsys, "info", "--root", tmp_path)

    line, *ends = out.splitlines()[2:10]
    assert line.startswith(
        "coverage 100.00 %: 5 events kept, 0 dropped, 0 unknown; orderbook_delta sampled at"
    )
    assert line.endswith("5 writers did not end in order")
    assert ends[-1] == "  and 2 more writers"
    assert "\n".join([line, *ends]) in info
    _, told = answer(capsys, "verify", "--root", tmp_path)
    _, asked = answer(capsys, "info", "--root", tmp_path)
    assert told["coverage"] == {name: asked["coverage"][name] for name in told["coverage"]}
    assert {"ends", "sampling", "gaps", "unclean"} < set(told["coverage"])


def test_a_directory_that_is_no_archive_has_nothing_to_seal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "app.log").touch()
    for dry_run in ([], ["--dry-run"]):
        code, out, err = run(capsys, "seal", "--root", tmp_path, *dry_run)
        assert (code, out) == (2, "")
        assert "hint: name the directory" in err
