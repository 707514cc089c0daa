"""Lines for the engine in pieces: typed where their text proves that this gives the same."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from polyrecord.report import measured
from polyrecord.report import pieces as module
from polyrecord.report.beside import THREAD, made_beside
from polyrecord.report.engine import Engine
from polyrecord.report.feed import line_file
from polyrecord.report.latency import latency_of
from polyrecord.report.measured import typed_lines
from polyrecord.report.pieces import pieces
from tests.report.archives import NOON, Given, latency, lines

STAGE = "a_ms"

NUMBERS = st.one_of(
    st.integers(-(1 << 70), 1 << 70).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["-0", "-0.0", "1E5", "5e-324", "1e400", "9007199254740993", "0.30000000000000004"]),
)
VALUES = st.one_of(
    NUMBERS,
    st.sampled_from(
        [
            "null",
            "true",
            "false",
            '"2.5"',
            '"x"',
            "[1]",
            "{}",
            '{"b_ms":1}',
            '{"b_ms":"2"}',
            "NaN",
            "Infinity",
        ]
    ),
)


def number_of(text: str) -> float | None:
    """What a value counts as: the number it is, not what a text or a truth value could be taken for."""
    value = json.loads(text)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    found = float(value)
    return found if abs(found) < float("inf") else None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(VALUES, st.sampled_from(["", " ", "\t"])), min_size=1, max_size=12))
def test_only_a_number_is_a_measurement_however_it_is_spelled(values: list[tuple[str, str]]) -> None:
    told = [b'{"a_ms":%b%b}' % (space.encode(), text.encode()) for text, space in values]

    events, unreadable, stages = latency_of([lines(Given(NOON, "latency", data) for data in told)])

    numbers = [number for text, _ in values if (number := number_of(text)) is not None]
    measured = sorted(number for number in numbers if number >= 0)
    (row,) = (stage for stage in stages if stage.stage == STAGE)
    assert (events, unreadable) == (len(values), 0)
    assert (row.count, row.negative) == (len(measured), sum(number < 0 for number in numbers))
    assert row.missing == len(values) - len(numbers)
    if measured:
        assert row.min == pytest.approx(measured[0], abs=1e-9)
        assert row.max == pytest.approx(measured[-1], abs=1e-9)


@pytest.fixture
def shapes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of SQL that read lines."""
    asked: list[str] = []
    run = Engine.run

    def noting(self: Engine, question: str, text: str, **parameters: object) -> list[tuple[Any, ...]]:
        if "read_json" in text and question == "typed":
            asked.append(text)
        return run(self, question, text, **parameters)

    monkeypatch.setattr(Engine, "run", noting)
    return asked


@pytest.mark.parametrize(
    ("value", "is_typed"),
    [
        (b"1.5", True), (b"-3", True), (b" 2", True), (b"null", True), (b"NaN", True), (b'"2.5"', False),
        (b"true", False), (b" false", False), (b"[1]", False), (b"\t1", False),
    ],
)  # fmt: skip
def test_the_engine_reads_numbers_itself_where_nothing_else_can_be_meant(
    value: bytes, is_typed: bool, shapes: list[str]
) -> None:
    chunk = lines([Given(NOON, "latency", b'{"a_ms":0.5}'), Given(NOON, "latency", b'{"a_ms":%b}' % value)])

    latency_of([chunk])

    assert ['"a_ms" double' in shape for shape in shapes] == [is_typed]


def test_one_odd_piece_does_not_slow_the_others(shapes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PIECE", 1)
    chunks = [lines([latency({STAGE: value})]) for value in (1.0, "2.0", 3.0)]

    _, _, (row,) = latency_of(chunks)

    assert ['"a_ms" double' in shape for shape in shapes] == [True, False, True]
    assert (row.count, row.missing, row.max) == (2, 1, 3.0)


@given(st.lists(st.integers(0, 40), max_size=12), st.integers(1, 60))
def test_pieces_hold_every_line_once_and_in_order_in_files_by_turns(sizes: list[int], piece: int) -> None:
    chunks = [b"%d" % at * size + b"\n" if size else b"" for at, size in enumerate(sizes)]
    with pytest.MonkeyPatch.context() as patch, line_file() as one, line_file() as other:
        patch.setattr(module, "PIECE", piece)

        found = [(each.lines, each.lines.text()) for each in pieces(chunks, (one, other))]

    assert b"".join(text for _, text in found) == b"".join(chunks)
    assert [lines is one for lines, _ in found] == [at % 2 == 0 for at in range(len(found))]
    assert all(len(text) <= max(piece, *map(len, chunks)) for _, text in found)


@pytest.mark.parametrize(("processors", "threads"), [(1, 1), (2, 1), (6, 5)])
def test_one_processor_is_left_to_what_makes_the_next_piece(
    processors: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measured, "_processors", lambda: processors)
    with typed_lines([lines([latency({STAGE: 1.0})])], [], [STAGE]) as (engine, _):
        assert engine.run("threads", "select current_setting('threads')") == [(threads,)]


def test_one_item_is_made_ahead_and_no_more() -> None:
    made: list[int] = []
    enough = threading.Event()

    def items() -> Iterator[int]:
        for number in range(4):
            made.append(number)
            if number == 1:
                enough.set()
            yield number

    with made_beside(items()) as given_items:
        assert next(given_items) == 0
        assert enough.wait(10)
        assert next(given_items) == 1
        assert made[:2] == [0, 1]
        assert len(made) <= 3
        assert list(given_items) == [2, 3]
    assert all(thread.name != THREAD for thread in threading.enumerate())


def test_who_stops_half_way_waits_for_no_more_than_what_is_being_made() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            made.append(number)
            yield number

    with made_beside(items()) as given_items:
        next(given_items)

    assert len(made) <= 3
    assert all(thread.name != THREAD for thread in threading.enumerate())


def test_an_error_is_raised_where_the_item_is_asked_for() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("torn")

    with made_beside(items()) as given_items:
        assert next(given_items) == 1
        with pytest.raises(ValueError, match="torn"):
            next(given_items)
