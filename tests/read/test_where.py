"""Conditions: what people type after --where, and what it holds of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import UsageError
from polyrecord.ids import generate_trace_id
from polyrecord.read.archive import Archive
from polyrecord.read.blocks import lines
from polyrecord.read.explain import Explain
from polyrecord.read.selection import Selection
from polyrecord.read.where import parse_condition
from polyrecord.record.bulk import BulkWriter
from polyrecord.record.policy import BlockPolicy

NOON = 1_763_640_000_000_000_000
TRACE = "4f1c2e5a-93b1-4c2d-8e4f-0123456789ab"


def event(**data: Any) -> dict[str, Any]:
    return {
        "ts": "2026-11-20T12:00:00.000000001Z",
        "seq": 7,
        "event_type": "decision",
        "trace_id": TRACE,
        "level": "info",
        "data": data,
    }


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("data.strategy=atomic", True),
        ("strategy=atomic", True),
        ("strategy = atomic", True),
        ("strategy=Atomic", False),
        ("strategy!=atomic", False),
        ("strategy~TOM", True),
        ("strategy!~tom", False),
        ("net_edge>0.5", True),
        ("net_edge>=0.50", True),
        ("net_edge>0.5000000000000000000001", True),
        ("net_edge<0.5000000000000000000003", True),
        ("net_edge=0.50000000000000000000020", True),
        ("net_edge<=0.5", False),
        ("size=3", True),
        ("size=3.0", True),
        ("size>=3", True),
        ("size>3", False),
        ("size<10", True),
        ("accepted=true", True),
        ("accepted=false", False),
        ("accepted=1", False),
        ("note=null", True),
        ("note!=null", False),
        ("nothing=null", True),
        ("nothing!=7", True),
        ("nothing=7", False),
        ("nothing<7", False),
        ("book.bids.1.price=0.47", True),
        ("token_id=7", False),
        ("token_id=007", True),
        ("event_type=decision", True),
        ("level!=warning", True),
        ("seq=7", True),
        ("seq<8", True),
        ("trace_id=4F1C2E5A93B14C2D8E4F0123456789AB", True),
        ("ts>2026-11-20T12:00:00Z", True),
        ("ts<=2026-11-20T13:00:00.000000001+01:00", True),
        ("strategy>m", False),
        ("strategy<m", True),
    ],
)
def test_a_condition_holds_of_an_event_or_does_not(text: str, holds: bool) -> None:
    document = event(
        strategy="atomic",
        net_edge="0.5000000000000000000002",
        size=3,
        accepted=True,
        note=None,
        book={"bids": [{"price": "0.48"}, {"price": 0.47}]},
        token_id="007",
    )

    condition = parse_condition(text)

    assert condition.holds(document) is holds
    if holds:
        assert condition.may_hold_in(json.dumps(document).encode())


@pytest.mark.parametrize("text", ["", "strategy", "=atomic", "  =1", "a b", "ts=yesterday", "<5"])
def test_what_is_no_condition_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_condition(text)

    assert refused.value.hint


@given(value=st.text(), other=st.text())
def test_a_value_equals_itself_whatever_it_is(value: str, other: str) -> None:
    """The bytes of the line never rule out what holds."""
    condition = parse_condition(f"note={value}")
    document = event(note=condition.value, further=other)

    held = condition.holds(document)

    assert held is (condition.value != "null")
    for line in (json.dumps(document), json.dumps(document, ensure_ascii=False)):
        assert not held or condition.may_hold_in(line.encode("utf-8", "surrogatepass"))


@given(
    a=st.decimals(allow_nan=False, allow_infinity=False), b=st.decimals(allow_nan=False, allow_infinity=False)
)
def test_numbers_compare_exactly_as_decimals_do(a: Any, b: Any) -> None:
    document = event(amount=f"{a:f}"[:300])
    number = f"{b:f}"[:300]

    held = {op: parse_condition(f"amount{op}{number}").holds(document) for op in ("<", "<=", "=", ">=", ">")}

    x, y = type(a)(f"{a:f}"[:300]), type(a)(number)
    assert held == {"<": x < y, "<=": x <= y, "=": x == y, ">=": x >= y, ">": x > y}


def write(root: Path, *, declared: tuple[str, ...] = (), events: int = 4000) -> None:
    """An archive of small blocks; event i has order `o<i>` and market `m<i>`."""
    with BulkWriter(root, "import.one", index_keys=declared, blocks=BlockPolicy(content_bytes=4096)) as bulk:
        for at in range(events):
            data = json.dumps({"order_id": f"o{at}", "market": f"m{at}", "size": at % 10}).encode()
            bulk.add(NOON + at, "fill", data, trace_id=generate_trace_id())


def found(root: Path, *texts: str) -> tuple[list[str], Explain]:
    explain = Explain()
    selection = Selection(where=tuple(map(parse_condition, texts)))
    chosen = [json.loads(line)["data"]["order_id"] for line in lines(Archive(root), selection, explain)]
    return chosen, explain


@pytest.mark.parametrize("text", ["order_id=o1234", "data.order_id=o1234"])
def test_an_equal_order_id_is_looked_up_in_the_index(tmp_path: Path, text: str) -> None:
    write(tmp_path)

    chosen, explain = found(tmp_path, text)

    assert chosen == ["o1234"]
    assert (explain.blocks_read, explain.skipped_by_key) == (1, explain.blocks_found - 1)


def test_a_declared_key_is_looked_up_in_the_index_and_another_field_is_not(tmp_path: Path) -> None:
    write(tmp_path / "a", declared=("data.market",))
    write(tmp_path / "b")

    (with_key, cheap), (without, dear) = (
        found(tmp_path / "a", "market=m77"),
        found(tmp_path / "b", "market=m77"),
    )

    assert with_key == without == ["o77"]
    assert (cheap.blocks_read, dear.blocks_read) == (1, dear.blocks_found)


def test_all_conditions_have_to_hold(tmp_path: Path) -> None:
    write(tmp_path, events=100)

    chosen, _ = found(tmp_path, "size>=8", "size!=9", "order_id!=o8")

    assert chosen == [f"o{at}" for at in range(18, 100, 10)]
