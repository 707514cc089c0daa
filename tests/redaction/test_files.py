"""Whatever way a secret comes in, no file of the archive holds it."""

from __future__ import annotations

import gzip
import json
import threading
from pathlib import Path

from polyrecord.record.recorder import EventRecorder
from polyrecord.testing import read_lines

SECRET = "Zq7planted"


def everything(root: Path) -> bytes:
    """The bytes of all files below, unpacked where they are packed."""
    files = [path for path in sorted(root.rglob("*")) if path.is_file()]
    return b"".join(
        gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes() for path in files
    )


def test_no_file_of_the_archive_holds_a_secret(tmp_path: Path) -> None:
    metadata = {"venue": {"api_key": SECRET}, "feed": f"wss://bot:{SECRET}@host/ws"}
    with EventRecorder(tmp_path, metadata=metadata, bot_id=f"bot password={SECRET}") as recorder:
        recorder.record("login", {"apiKey": SECRET, "nested": [{"POLY_SIGNATURE": SECRET}]})
        recorder.record("note", f"Authorization: Bearer {SECRET}{SECRET}", trace_id=f"secret={SECRET}")
        recorder.record("order", {"price": "0.5"}, intent_id=f"token access_token={SECRET}", level="info")
        recorder.record("failed", {}, reason_code=f"api_secret={SECRET}")
        recorder.record_raw(json.dumps({"auth": {"secret": SECRET}}), source="venue")
        recorder.record_raw(b"\xff" + json.dumps({"auth": {"secret": SECRET}}).encode(), source="venue")
        recorder.record("odd", {"secret": {SECRET}})

    assert len(read_lines(tmp_path)) == 7
    assert SECRET.encode() not in everything(tmp_path)


def test_secrets_of_many_threads_are_taken_out_among_clean_events(tmp_path: Path) -> None:
    def trade(recorder: EventRecorder, number: int) -> None:
        for count in range(500):
            data = {"n": count, "api_key": SECRET} if count % 50 == number else {"n": count}
            recorder.record("tick", data)

    with EventRecorder(tmp_path) as recorder:
        threads = [threading.Thread(target=trade, args=(recorder, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    lines = read_lines(tmp_path)
    assert len(lines) == 2_000
    assert [line["data"].get("api_key") for line in lines].count("[redacted]") == 40
    assert SECRET.encode() not in everything(tmp_path)


def test_redaction_can_be_turned_off(tmp_path: Path) -> None:
    with EventRecorder(tmp_path, redact=False) as recorder:
        recorder.record("login", {"api_key": "abc"})
    assert read_lines(tmp_path)[0]["data"] == {"api_key": "abc"}
