"""What fits an event type, what does not, and what the error says about it."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from polyrecord.errors import InvalidEvent
from polyrecord.events.catalogue import CATALOGUE, validate
from polyrecord.events.names import EventType
from polyrecord.events.routes import stream_of
from polyrecord.events.spec import EventSpec

ALL = list(CATALOGUE.values())
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
STAGES: dict[str, Any] = {
    "ws_to_book_update_ms": 10.5,
    "book_to_signal_ms": 5,
    "signal_to_risk_ms": None,
    "risk_to_send_ms": -0.25,
    "end_to_end_ms": None,
}


def name_of(spec: EventSpec) -> str:
    return spec.event_type.value


def example(event_type: str, **changes: Any) -> dict[str, Any]:
    """The type's example with some fields changed."""
    return {**copy.deepcopy(dict(CATALOGUE[event_type].example)), **changes}


def complaint(event_type: str, data: Any) -> str:
    """What the first line of the error says after the event type."""
    with pytest.raises(InvalidEvent) as caught:
        validate(event_type, data)
    start, _, rest = caught.value.what.partition(": ")
    assert start == event_type
    assert caught.value.hint
    return rest


def test_every_event_type_with_a_name_is_in_the_catalogue() -> None:
    assert set(CATALOGUE) == {member.value for member in EventType}


@pytest.mark.parametrize("spec", ALL, ids=name_of)
def test_every_example_fits_its_type(spec: EventSpec) -> None:
    validate(spec.event_type, spec.example)

    assert spec.version == 1
    assert spec.stream == stream_of(spec.event_type)
    assert spec.summary.endswith(".")


@pytest.mark.parametrize("spec", ALL, ids=name_of)
def test_every_field_says_what_it_means(spec: EventSpec) -> None:
    for name, field in spec.model.model_fields.items():
        assert field.description, name


@pytest.mark.parametrize("spec", ALL, ids=name_of)
def test_a_field_the_catalogue_does_not_know_passes(spec: EventSpec) -> None:
    validate(spec.event_type, {**spec.example, "a_later_field": {"any": ["thing", None]}})


@given(st.text().filter(lambda name: name not in CATALOGUE), JSON)
def test_a_type_the_catalogue_does_not_know_passes(event_type: str, data: Any) -> None:
    validate(event_type, data)


@pytest.mark.parametrize("spec", ALL, ids=name_of)
def test_a_required_field_that_is_missing_is_named(spec: EventSpec) -> None:
    for name, field in spec.model.model_fields.items():
        if field.is_required():
            without = {key: value for key, value in spec.example.items() if key != name}

            assert complaint(spec.event_type, without) == f"data.{name}: is missing"


@pytest.mark.parametrize("data", [None, [], "text", 1, [("strategy", "atomic")]])
def test_data_that_is_no_object_is_refused(data: Any) -> None:
    assert complaint("signal", data).startswith("data: needs an object, not ")


@given(st.sampled_from(sorted(CATALOGUE)), JSON | st.dictionaries(st.text(), JSON))
def test_whatever_the_data_is_the_only_error_is_invalid_event(event_type: str, data: Any) -> None:
    try:
        validate(event_type, data)
    except InvalidEvent as error:
        assert error.what.startswith(f"{event_type}: data")  # noqa: PT017 - either outcome is right


@given(st.data(), st.sampled_from(ALL), JSON)
def test_one_wrong_field_makes_the_error_name_it(data: st.DataObject, spec: EventSpec, value: Any) -> None:
    name = data.draw(st.sampled_from(sorted(spec.example)))
    try:
        validate(spec.event_type, {**spec.example, name: value})
    except InvalidEvent as error:
        assert f": data.{name}" in error.what or "frame" in name  # noqa: PT017 - either outcome is right


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"expected_profit": 1.5}, "data.expected_profit: needs decimal text, not the float 1.5"),
        ({"expected_profit": 2}, "data.expected_profit: needs decimal text, not the int 2"),
        ({"expected_profit": True}, "data.expected_profit: needs decimal text, not the bool True"),
        ({"expected_profit": None}, "data.expected_profit: needs decimal text, not null"),
        ({"expected_profit": "NaN"}, "data.expected_profit: 'NaN' is not decimal text"),
        ({"yes_price": "1e-3"}, "data.yes_price: '1e-3' is not decimal text"),
        ({"strategy": ""}, "data.strategy: is empty"),
        ({"yes_token": 713210456}, "data.yes_token: needs text, not the int 713210456"),
        ({"strategy": "", "yes_price": 0.5}, "data.strategy: is empty (and 1 more)"),
        ({"strategy": "\ud800"}, "data.strategy: has a surrogate in it, which UTF-8 cannot hold"),
    ],
)
def test_the_error_names_the_field_and_the_reason(changes: Mapping[str, Any], said: str) -> None:
    assert complaint("signal", example("signal", **changes)) == said


def test_the_error_reads_as_what_where_and_hint() -> None:
    with pytest.raises(InvalidEvent) as caught:
        validate("signal", {"strategy": "atomic", "expected_profit": 1.5})

    assert str(caught.value) == (
        "signal: data.expected_profit: needs decimal text, not the float 1.5\n"
        '  hint: a float cannot hold every price: give text such as "0.48", or a Decimal'
    )


def test_a_long_value_is_cut_in_the_error() -> None:
    said = complaint("signal", example("signal", expected_profit="9" * 1_000_000 + "x"))

    assert len(said) < 150
    assert said.startswith("data.expected_profit: '999")


def test_a_value_that_has_no_repr_is_refused_like_any_other() -> None:
    """Python writes out no integer of more than 4,300 digits."""
    said = complaint("signal", example("signal", expected_profit=10**5_000))

    assert said == "data.expected_profit: needs decimal text, not the int beyond description"


def test_a_strategy_that_is_no_arbitrage_names_no_tokens() -> None:
    validate("signal", {"strategy": "momentum", "expected_profit": "-0.02"})


@pytest.mark.parametrize("text", ["0", "0.48", ".48", "-12.50", "007", "1" * 80])
def test_decimal_text_passes(text: str) -> None:
    validate("signal", example("signal", expected_profit=text))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-",
        ".",
        "5.",
        "+1",
        "1e3",
        "1,5",
        " 1",
        "1\n",
        "1_000",
        "0x1",
        "NaN",
        "Infinity",
        "-Infinity",
        "٣",
    ],
)
def test_what_is_no_decimal_text_is_refused(text: str) -> None:
    assert complaint("signal", example("signal", expected_profit=text)).endswith("is not decimal text")


@given(st.decimals(allow_nan=False, allow_infinity=False))
def test_a_finite_decimal_passes_as_itself_and_as_its_text(value: Decimal) -> None:
    validate("signal", example("signal", expected_profit=value))
    validate("signal", example("signal", expected_profit=format(value, "f")))


@given(st.text(alphabet="0123456789.-+eE_ ,") | st.text(max_size=8))
def test_decimal_text_is_what_decimal_reads_without_exponent_sign_or_space(text: str) -> None:
    """Independent computation: the standard library's Decimal, less the spellings we leave out."""
    try:
        finite = Decimal(text).is_finite()
    except ArithmeticError:
        finite = False
    plain = re.search(r"[^0-9.-]", text) is None and not text.endswith(".")
    try:
        validate("signal", {"strategy": "atomic", "expected_profit": text})
        accepted = True
    except InvalidEvent:
        accepted = False

    assert accepted == (finite and plain)


@pytest.mark.parametrize("value", [Decimal("NaN"), Decimal("sNaN"), Decimal("-Infinity")])
def test_a_decimal_that_is_no_number_is_refused(value: Decimal) -> None:
    assert "is not decimal text" in complaint("signal", example("signal", expected_profit=value))


def test_a_size_is_never_negative() -> None:
    assert complaint("order_request", example("order_request", size="-1")) == "data.size: '-1' is negative"


def test_a_level_inside_a_book_is_named_by_its_place() -> None:
    book = example("orderbook_snapshot")
    book["bids"][1]["price"] = 0.47

    assert complaint("orderbook_snapshot", book) == (
        "data.bids[1].price: needs decimal text, not the float 0.47"
    )


def test_an_empty_side_of_a_book_passes() -> None:
    validate("orderbook_snapshot", {"token_id": "1", "bids": [], "asks": ()})


def test_a_level_as_a_pair_is_refused() -> None:
    said = complaint("orderbook_snapshot", {"token_id": "1", "bids": [["0.48", "30"]], "asks": []})

    assert said == "data.bids[0]: needs an object, not the list ['0.48', '30']"


def test_size_0_removes_a_level_and_passes() -> None:
    change = {"side": "SELL", "price": "0.51", "size": "0"}

    validate("orderbook_delta", {"token_id": "1", "changes": [change]})


@pytest.mark.parametrize("side", ["buy", "B", "", None, 1])
def test_a_side_is_buy_or_sell_in_capitals(side: Any) -> None:
    assert complaint("fill", example("fill", side=side)).startswith("data.side: needs BUY or SELL, not ")


def test_a_trade_whose_side_the_venue_does_not_say_has_null() -> None:
    validate("trade", example("trade", side=None))


def test_a_market_order_has_no_price() -> None:
    validate("order_request", example("order_request", price=None))


@pytest.mark.parametrize(
    "forms", [{}, {"frame": "a", "frame_b64": "YQ=="}, {"frame": None, "frame_b64": None}]
)
def test_a_raw_frame_has_exactly_one_form(forms: Mapping[str, Any]) -> None:
    assert complaint("raw_frame", {"source": "venue", **forms}) == (
        "data: needs exactly one of frame and frame_b64"
    )


@pytest.mark.parametrize(
    "forms", [{"frame": ""}, {"frame_b64": "/w=="}, {"frame": "PONG", "frame_b64": None}]
)
def test_a_raw_frame_is_text_or_base64(forms: Mapping[str, Any]) -> None:
    validate("raw_frame", {"source": "venue", **forms})


@pytest.mark.parametrize("received_ns", [1.5, "1795177696789000000", True, 2**63])
def test_a_time_in_nanoseconds_is_an_integer_of_64_bits(received_ns: Any) -> None:
    assert complaint("raw_frame", example("raw_frame", received_ns=received_ns)).startswith(
        "data.received_ns: "
    )


def test_a_decision_is_accept_or_reject() -> None:
    said = complaint("decision", example("decision", decision="MAYBE"))

    assert said == "data.decision: needs ACCEPT or REJECT, not 'MAYBE'"


def test_stages_are_milliseconds_or_null() -> None:
    """Negative ones too: a clock that went wrong has to be seen."""
    validate("latency", STAGES)


@pytest.mark.parametrize("missing", [name for name in STAGES if name != "end_to_end_ms"])
def test_a_declared_stage_is_there_even_when_it_was_not_measured(missing: str) -> None:
    without = {name: value for name, value in STAGES.items() if name != missing}

    assert complaint("latency", without) == f"data.{missing}: is missing"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "5.2", True])
@pytest.mark.parametrize("name", ["book_to_signal_ms", "end_to_end_ms", "sign_order_ms"])
def test_a_stage_that_is_no_finite_number_is_refused(name: str, value: Any) -> None:
    assert complaint("latency", {**STAGES, name: value}).startswith(f"data.{name}: ")


def test_more_stages_than_the_declared_ones_pass() -> None:
    validate("latency", {**STAGES, "sign_order_ms": 1.25, "wait_ms": None, "venue": "polymarket"})


def test_a_number_without_its_unit_is_no_stage() -> None:
    assert complaint("latency", {**STAGES, "sign_order": 1.25}) == (
        "data.sign_order: is a number without a unit"
    )


def test_stages_a_bot_declared_take_the_place_of_the_default_ones() -> None:
    own = ("read_ms", "think_ms")

    validate("latency", {"read_ms": 1, "think_ms": None, "end_to_end_ms": None}, stages=own)
    with pytest.raises(InvalidEvent, match=r"latency: data\.think_ms: is missing"):
        validate("latency", {"read_ms": 1, "end_to_end_ms": None}, stages=own)
    with pytest.raises(InvalidEvent, match=r"latency: data\.read_ms: needs a finite number or null"):
        validate("latency", {"read_ms": float("nan"), "think_ms": 1}, stages=own)


@pytest.mark.parametrize(
    "stamp", ["2026-11-20", "2026-11-20T12:34:56Z", "2026-02-30T00:00:00.000000000Z", 1_795_177_696, ""]
)
def test_a_time_in_the_ledger_is_written_as_on_the_line(stamp: Any) -> None:
    assert complaint("clock_step", example("clock_step", wall_ts=stamp)).startswith("data.wall_ts: ")


def test_a_loss_says_how_many_of_which_stream() -> None:
    loss = example("loss")
    loss["streams"]["data/books"]["count"] = 0

    assert complaint("loss", loss) == "data.streams.data/books.count: 0 is less than 1"
