"""The candidates of a row get the same event, and write the same of it."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import NoReturn

import flow
import orjson
import pytest
import record
from peers import PEERS

from polyrecord import EventRecorder
from polyrecord.read.replay import replay


def recorded(folder: Path, event_type: str, data: dict[str, object], trace: str) -> dict[str, object]:
    with EventRecorder(folder) as recorder:
        recorder.record(event_type, data, trace)
    (line,) = replay(folder).lines()
    event: dict[str, object] = orjson.loads(line)
    return event


@pytest.mark.parametrize("event", record.EVENTS)
def test_the_limit_encodes_what_record_writes(event: str, tmp_path: Path) -> None:
    event_type, data = record.EVENTS[event]
    limit = record.envelope(event_type, data)
    ours = recorded(tmp_path, event_type, data, record.TRACE)
    assert list(ours) == list(limit)
    assert ours | {"ts": limit["ts"], "seq": limit["seq"]} == limit
    assert len(str(ours["ts"])) == len(str(limit["ts"]))


def test_every_event_of_the_flow_has_a_line_of_316_bytes() -> None:
    pool = flow.events()
    assert len({trace for trace, _ in pool}) == flow.DIFFERENT
    assert {len(flow.line_of(trace, data, 999_999)) for trace, data in pool} == {flow.LINE_BYTES}


def test_the_recorder_and_the_bare_encoder_get_the_same_events_of_the_flow(tmp_path: Path) -> None:
    trace, data = flow.events()[0]
    limit = flow.envelope(trace, data, 1)
    ours = recorded(tmp_path, "orderbook_delta", data, trace)
    assert list(ours) == list(limit)
    assert ours | {"ts": limit["ts"]} == limit


def absent(name: str) -> NoReturn:
    """Skip the test; where everything has to be there, fail it."""
    message = f"{name} is not installed: pip install 'polyrecord[bench]'"
    if os.environ.get("CI") != "true" or (name == "picologging" and sys.version_info >= (3, 13)):
        pytest.skip(message)
    pytest.fail(message)


@pytest.mark.parametrize("name", sorted(set(PEERS) - {"mcap"}))
def test_a_peer_writes_the_fields_of_every_event(name: str, tmp_path: Path) -> None:
    try:
        peer = PEERS[name](tmp_path / "out")
    except ImportError:
        absent(name)
    for _ in range(3):
        peer.note("signal", record.SMALL, record.TRACE)
    peer.rest()
    peer.close()
    lines = (tmp_path / "out").read_bytes().splitlines()
    assert len(lines) == 3
    for line in lines:
        fields = orjson.loads(line)
        assert fields["trace_id"] == record.TRACE
        assert "signal" in fields.values()
        assert record.SMALL.items() <= fields.get("data", fields).items()


def test_mcap_writes_the_fields_of_every_event(tmp_path: Path) -> None:
    try:
        reader = importlib.import_module("mcap.reader")
    except ImportError:
        absent("mcap")
    peer = PEERS["mcap"](tmp_path / "out")
    peer.note("signal", record.SMALL, record.TRACE)
    peer.close()
    with (tmp_path / "out").open("rb") as file:
        (_, channel, message), *_ = reader.make_reader(file).iter_messages()
    assert channel.topic == "signal"
    assert orjson.loads(message.data) == {"trace_id": record.TRACE, "data": record.SMALL}
