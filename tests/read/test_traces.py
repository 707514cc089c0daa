"""Finding a trace by its id, by its beginning, or by a value in it."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import AmbiguousId, ArchiveMissing, NotFound, UsageError
from polyrecord.read import sift
from polyrecord.read.archive import Archive
from polyrecord.read.explain import Explain
from polyrecord.read.lines import Head, read_head
from polyrecord.read.selection import Selection, TraceQuery
from polyrecord.read.traces import find_by_condition, find_trace
from polyrecord.read.where import parse_condition
from polyrecord.times import SECOND
from tests.read.archives import NOON, ArchiveMaker, Given

DASHED = "4f1ce2d0-1111-4000-8000-00000000000a"
BARE = DASHED.replace("-", "")


def three_events(trace_id: str, start: int = NOON, order: str = "none") -> list[Given]:
    """What one trace leaves in three streams."""
    data = b'{"order_id":"%s"}' % order.encode()
    return [
        Given(start, "signal", trace_id=trace_id),
        Given(start + 1, "order_request", data, trace_id),
        Given(start + 2, "latency", trace_id=trace_id),
    ]


def many_traces(count: int) -> list[Given]:
    """Traces whose ids begin with their number in eight hex digits."""
    made = (
        three_events(f"{n:08x}-0000-4000-8000-{n:012x}", NOON + n * SECOND, f"O-{n}") for n in range(count)
    )
    return [event for events in made for event in events]


@pytest.mark.parametrize(
    "asked", [DASHED, BARE, DASHED.upper(), BARE.upper(), "4f1c", "4F1CE2D0-11", "4f1ce2d0111140", "4"]
)
@pytest.mark.parametrize("written", [DASHED, BARE, DASHED.upper(), BARE.upper()])
def test_every_spelling_and_every_beginning_names_the_trace(
    archive: ArchiveMaker, asked: str, written: str
) -> None:
    archive.write([*three_events("aa" + BARE[2:]), *three_events(written)])
    match = find_trace(Archive(archive.root), asked)
    assert (match.trace_id, match.written, match.via) == (BARE, written, "trace")
    assert list(match.lines) == archive.read()[3:]


def test_two_spellings_are_one_trace(archive: ArchiveMaker) -> None:
    archive.write([*three_events(DASHED), *three_events(BARE.upper(), NOON + 10)])
    assert len(find_trace(Archive(archive.root), "4f").events) == 6


def test_an_ambiguous_beginning_lists_the_candidates(archive: ArchiveMaker) -> None:
    archive.write(
        [*three_events("4f1caaaa"), *three_events("4f1cbbbb", NOON + 5), Given(NOON, trace_id="ee")]
    )
    with pytest.raises(AmbiguousId, match="fits 2 traces") as raised:
        find_trace(Archive(archive.root), "4f1c")
    assert raised.value.candidates == ("4f1caaaa", "4f1cbbbb")
    assert "4f1cbbbb  2026-11-20T12:00:00.000000005Z  3 events" in str(raised.value)


def test_at_most_twenty_candidates_are_listed(archive: ArchiveMaker) -> None:
    archive.write(many_traces(50))
    with pytest.raises(AmbiguousId, match="and 30 more") as raised:
        find_trace(Archive(archive.root), "000000")
    assert len(raised.value.candidates) == 20


def test_counting_candidates_stops_where_it_helps_nobody(
    archive: ArchiveMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole id is found even then."""
    monkeypatch.setattr("polyrecord.read.traces._MOST_CANDIDATES", 5)
    archive.write([*many_traces(50), *three_events("000000", NOON + 100 * SECOND)])
    with pytest.raises(AmbiguousId, match="fits more than 5 traces"):
        find_trace(Archive(archive.root), "00000")
    assert find_trace(Archive(archive.root), "000000").trace_id == "000000"


@pytest.mark.parametrize("ids", [("abcd", "abcd12"), ("order-1", "order-10"), (BARE, BARE + "00")])
def test_a_whole_id_wins_over_longer_ones(archive: ArchiveMaker, ids: tuple[str, str]) -> None:
    archive.write([*three_events(ids[1]), *three_events(ids[0], NOON + 9)])
    match = find_trace(Archive(archive.root), ids[0])
    assert match.trace_id == ids[0]
    assert list(match.lines) == archive.read()[3:]


def test_an_opaque_id_is_found_whole_and_by_its_beginning(archive: ArchiveMaker) -> None:
    archive.write([*three_events("Session/ü-7"), *three_events("other")])
    for asked in ("session/ü-7", "SESSION/Ü-7", "sess", "S"):
        match = find_trace(Archive(archive.root), asked)
        assert (match.trace_id, match.written) == ("session/ü-7", "Session/ü-7")


def test_dashes_of_an_opaque_id_are_part_of_it(archive: ArchiveMaker) -> None:
    archive.write(three_events("ab-cd-run"))
    assert find_trace(Archive(archive.root), "AB-CD").trace_id == "ab-cd-run"
    with pytest.raises(NotFound):
        find_trace(Archive(archive.root), "abcd")


def test_hex_that_begins_an_opaque_id_finds_it(archive: ArchiveMaker) -> None:
    """`bad` is three hex digits, `bad-robot` is opaque."""
    archive.write(three_events("bad-robot"))
    assert find_trace(Archive(archive.root), "bad").trace_id == "bad-robot"
    for asked in ("bad-", "bad-r"):
        assert find_trace(Archive(archive.root), asked).trace_id == "bad-robot"
    archive.write(three_events("badc0de0"), "20261120t120000.host.2.bbbb")
    with pytest.raises(AmbiguousId):
        find_trace(Archive(archive.root), "bad")


@pytest.mark.parametrize(
    ("asked", "via"),
    [
        ("o-7", "order_id"),
        ("I-7", "intent_id"),
        ("c-7", "client_order_id"),
        ("m-7", "market"),
        ("77", "leg.number"),
    ],
)
def test_order_intent_and_declared_values_find_their_trace(
    archive: ArchiveMaker, asked: str, via: str
) -> None:
    data = b'{"order_id":"O-7","client_order_id":"C-7","market":"M-7","leg":{"number":77}}'
    fitting = Given(NOON + 5, "order_request", data, DASHED, intent_id="i-7")
    others = [Given(NOON + at, "fill", b'{"order_id":"O-%d"}' % (at + 100)) for at in range(50)]
    archive.write(
        [*others, *three_events(DASHED), fitting],
        index_keys=("data.market", "data.leg.number"),
        block_bytes=300,
    )
    explain = Explain()
    match = find_trace(Archive(archive.root), asked, explain)
    assert (match.trace_id, match.via) == (BARE, via)
    assert [event.event_type for event in match.events] == [
        "signal",
        "order_request",
        "latency",
        "order_request",
    ]
    assert explain.blocks_read < explain.blocks_found


def test_a_value_that_is_not_declared_is_not_looked_for(archive: ArchiveMaker) -> None:
    archive.write([Given(NOON, data=b'{"market":"M-7","order_id":true}', trace_id=DASHED)])
    for asked in ("M-7", "True"):
        with pytest.raises(NotFound):
            find_trace(Archive(archive.root), asked)


def test_events_of_an_order_without_a_trace_come_with_it(archive: ArchiveMaker) -> None:
    events = [*three_events(DASHED, order="X-1"), Given(NOON + 9, "fill", b'{"order_id":"X-1"}')]
    archive.write(events)
    archive.write([Given(NOON + 1, "order_result", b'{"order_id":"x-1"}')], "20261120t120000.host.2.bbbb")
    match = find_trace(Archive(archive.root), "X-1")
    assert match.trace_id == BARE
    assert list(match.lines) == archive.read()


def test_an_order_without_any_trace_is_shown_alone(archive: ArchiveMaker) -> None:
    archive.write([Given(NOON, "fill", b'{"order_id":"X-1"}'), Given(NOON, "fill", b"{}")])
    match = find_trace(Archive(archive.root), "X-1")
    assert (match.trace_id, match.written, match.via) == (None, None, "order_id")
    assert list(match.lines) == archive.read()[:1]


def test_a_value_in_several_traces_is_ambiguous(archive: ArchiveMaker) -> None:
    archive.write([*three_events("aaaa", order="S"), *three_events("bbbb", order="S")])
    with pytest.raises(AmbiguousId) as raised:
        find_trace(Archive(archive.root), "S")
    assert raised.value.candidates == ("aaaa", "bbbb")


HOSTILE = ["' OR 1=1 --", '"; DROP TABLE events; --', "a\nb", "\x00", "%", "*", "../../etc", "{}", "\ud800"]


@pytest.mark.parametrize("asked", HOSTILE)
def test_an_id_is_only_ever_compared(archive: ArchiveMaker, asked: str) -> None:
    archive.write(many_traces(3))
    with pytest.raises(NotFound, match="no trace, order or intent"):
        find_trace(Archive(archive.root), asked)


@pytest.mark.parametrize("asked", [text for text in HOSTILE if text != "\ud800"])
def test_an_id_with_quotes_or_line_breaks_is_found_like_any_other(archive: ArchiveMaker, asked: str) -> None:
    archive.write([*three_events(asked), *many_traces(3)])
    assert find_trace(Archive(archive.root), asked).written == asked
    assert len(find_trace(Archive(archive.root), asked[:1]).events) == 3


def test_what_is_not_there_says_so(archive: ArchiveMaker, tmp_path: Path) -> None:
    archive.write(many_traces(3))
    with pytest.raises(NotFound) as raised:
        find_trace(Archive(archive.root), "ffff")
    assert raised.value.hint is not None
    with pytest.raises(UsageError, match="trace id is empty"):
        find_trace(Archive(archive.root), "")
    with pytest.raises(ArchiveMissing):
        find_trace(Archive(tmp_path / "none"), "ffff")


def test_a_window_narrows_the_search(archive: ArchiveMaker) -> None:
    archive.write([*three_events(DASHED), *three_events(DASHED, NOON + SECOND)])
    within = Selection(since_ns=NOON + SECOND, types=frozenset({"signal", "latency"}))
    match = find_trace(Archive(archive.root), "4f1c", within=within)
    assert [event.ts_ns - NOON for event in match.events] == [SECOND, SECOND + 2]


@pytest.mark.parametrize("asked", ["000004d2", "000004d2-0000-4000-8000-0000000004d2", "O-1234"])
def test_few_blocks_are_inflated_for_a_trace(archive: ArchiveMaker, asked: str) -> None:
    archive.write(many_traces(4000), block_bytes=1500)
    explain = Explain()
    match = find_trace(Archive(archive.root), asked, explain)
    assert len(match.events) == 3
    assert explain.blocks_found > 600
    assert explain.blocks_read <= 6
    assert explain.blocks_read / explain.blocks_found < 0.01


def test_a_trace_across_writers_is_in_replay_order(archive: ArchiveMaker) -> None:
    """An import whose time goes back counts as late as its latest event, selected or not."""
    late = [Given(NOON + 50), Given(NOON + 3, trace_id=DASHED), *[Given(NOON + at) for at in range(60)]]
    archive.write(late, "import.00000000000000aa", block_bytes=150)
    archive.write(
        [Given(NOON + 10 * at, trace_id=DASHED if at == 1 else None) for at in range(9)],
        "import.00000000000000bb",
        block_bytes=150,
    )
    explain = Explain()
    match = find_trace(Archive(archive.root), DASHED, explain)
    assert list(match.lines) == [line for line in archive.read() if DASHED.encode() in line]
    assert [event.writer[-2:] for event in match.events] == ["bb", "aa"]
    assert explain.blocks_read <= 3


def in_market(market: str, trace_id: str, start: int) -> list[Given]:
    """A trace whose signal names its market."""
    signal = Given(start, "signal", b'{"market":"%s"}' % market.encode(), trace_id)
    return [signal, *three_events(trace_id, start + 1)]


def test_a_declared_key_leads_to_its_trace_and_opens_only_its_blocks(archive: ArchiveMaker) -> None:
    traces = [f"{n:08x}-0000-4000-8000-{n:012x}" for n in range(500)]
    events = [event for n, each in enumerate(traces) for event in in_market(f"0x{n}f", each, NOON + n * 10)]
    archive.write(events, index_keys=("data.market",))
    explain = Explain()

    match = find_by_condition(Archive(archive.root), parse_condition("market=0x77f"), explain)

    assert (match.written, match.via, len(match.events)) == (traces[77], "market", 4)
    assert explain.blocks_read * 10 < explain.blocks_found


def test_a_key_of_several_traces_lists_them_and_one_of_none_is_not_found(archive: ArchiveMaker) -> None:
    archive.write([*in_market("m", "aa11", NOON), *in_market("m", "bb22", NOON + 9)])

    with pytest.raises(AmbiguousId) as several:
        find_by_condition(Archive(archive.root), parse_condition("data.market=m"))
    with pytest.raises(NotFound, match="no event has market = 'x'"):
        find_by_condition(Archive(archive.root), parse_condition("market=x"))

    assert several.value.candidates == ("aa11", "bb22")


@given(data=st.data())
def test_lines_that_cannot_have_an_id_are_passed_over_and_no_other(data: st.DataObject) -> None:
    """However an id is spelled: dashes anywhere, upper case, escapes."""
    digits = st.text("0123456789abcdef", min_size=1, max_size=6)
    ids = data.draw(st.lists(digits | st.text("4f1c-RUN7 ", min_size=1), min_size=1, max_size=8))
    spelled = [data.draw(spellings(one)) for one in ids]
    content = b"".join(b'{"trace_id":%s}\n' % orjson.dumps(one) for one in spelled)
    if data.draw(st.booleans()):
        content = content.replace(b"4", b"\\u0034")
    lines = content.splitlines()
    query = TraceQuery(data.draw(st.sampled_from(ids) | digits), exact=data.draw(st.booleans()))
    looked_at = query.among(lines, content)
    fits = {line for line, one in zip(lines, spelled, strict=True) if query.matches(one)}
    assert fits <= set(looked_at) <= set(lines)


@st.composite
def spellings(draw: st.DrawFn, text: str) -> str:
    """An id with dashes in it, or in upper case."""
    at = draw(st.integers(0, len(text)))
    dashed = text[:at] + "-" * draw(st.integers(0, 2)) + text[at:]
    return dashed.upper() if draw(st.booleans()) else dashed


def test_of_a_block_only_lines_with_the_digits_are_taken_apart(
    archive: ArchiveMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.write([Given(NOON + at, trace_id=f"{at:08x}{0:024x}") for at in range(100)], block_bytes=100_000)
    seen: list[bytes] = []

    def watched(line: bytes) -> Head:
        seen.append(line)
        return read_head(line)

    monkeypatch.setattr(sift, "read_head", watched)
    find_trace(Archive(archive.root), f"{7:08x}{0:024x}")
    assert len(seen) == 1
