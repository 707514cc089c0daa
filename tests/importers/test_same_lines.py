"""An import writes the very lines that reading a log in place makes of it."""

from __future__ import annotations

import json
from pathlib import Path, PurePath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.foreign.formats import choose_format
from polyrecord.foreign.line import event_line
from polyrecord.foreign.outcome import Parsed, events_of
from polyrecord.record.bulk import BulkWriter
from tests.foreign.days import metastacker_day, polyarb_day, polytraders_day
from tests.importers.archives import lines_of, run

TEXTS = st.text(max_size=12)
TIMES = st.integers(10**18, 9 * 10**18)
EVENTS = st.builds(
    Parsed,
    TIMES,
    st.one_of(TEXTS.filter(bool), st.sampled_from(["signal", "latency", "\ud800", 'a"b', "Ünï"])),
    st.one_of(st.none(), TEXTS.filter(bool), st.uuids().map(str), st.just("\udfff")),
    st.dictionaries(TEXTS, st.one_of(st.integers(), TEXTS)).map(lambda value: json.dumps(value).encode()),
    st.just(0),
    st.one_of(
        st.none(),
        st.dictionaries(
            st.sampled_from(["span_id", "parent_span_id", "bot_id", "intent_id", "level", "reason_code"]),
            TEXTS.filter(bool),
        ),
    ),
)


def in_order(root: Path) -> list[bytes]:
    """The lines of an archive of one writer by sequence number, without line feeds."""
    return sorted((line[:-1] for line in lines_of(root)), key=lambda line: int(json.loads(line)["seq"]))


@given(st.lists(EVENTS, max_size=8))
def test_a_bulk_writer_and_event_line_agree_on_every_byte(
    tmp_path_factory: pytest.TempPathFactory, events: list[Parsed]
) -> None:
    root = tmp_path_factory.mktemp("archive")
    with BulkWriter(root, "import.a") as writer:
        for event in events:
            writer.add(
                event.ts_ns, event.event_type, event.data, trace_id=event.trace_id, envelope=event.envelope
            )

    assert in_order(root) == [event_line(seq, event) for seq, event in enumerate(events, 1)]


OBJECTS = st.fixed_dictionaries(
    {"ts": st.integers(10**9, 4 * 10**9)},
    optional={
        "type": st.one_of(TEXTS, st.integers(), st.none()),
        "trace_id": st.one_of(TEXTS, st.integers()),
        "bot_id": TEXTS,
        "data": st.dictionaries(TEXTS, st.floats()),
        "level": TEXTS,
    },
)


@given(st.lists(OBJECTS, max_size=8), st.sampled_from(["generic", "metastacker", "polytraders", "polyarb"]))
def test_the_lines_of_an_import_are_those_of_its_parser_numbered_from_1(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, Any]], name: str
) -> None:
    folder = tmp_path_factory.mktemp("import")
    lines = [json.dumps(value).encode() for value in objects]
    (folder / "bot.log").write_bytes(b"".join(line + b"\n" for line in lines))

    run(folder / "archive", folder / "bot.log", name)

    assert in_order(folder / "archive") == made_of(lines, name, PurePath("bot.log"))


@pytest.mark.parametrize("day", [polyarb_day, metastacker_day, polytraders_day])
def test_so_are_those_of_every_file_of_a_generated_day(day: Any, tmp_path: Path) -> None:
    day(tmp_path / "bot")
    name = day.__name__.removesuffix("_day")
    plain = sorted((tmp_path / "bot").rglob("*.jsonl"))

    assert plain, "a day has logs that are not packed"
    for number, path in enumerate(plain):
        root = tmp_path / f"archive{number}"
        run(root, path, name, path=path)
        assert in_order(root) == made_of(path.read_bytes().splitlines(), name, path)


def made_of(lines: list[bytes], name: str, path: PurePath) -> list[bytes]:
    """The event lines a parser makes of the lines of a file."""
    parser = choose_format(name, path=path).parser()
    events = [event for line in lines for event in events_of(parser.parse(line))]
    return [event_line(seq, event) for seq, event in enumerate(events, 1)]
