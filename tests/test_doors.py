"""Every door gives exactly the names it promises."""

from __future__ import annotations

import ast
import inspect
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pytest

import polyrecord
from polyrecord import edge, metrics, recorder, telemetry

DOORS = ["polyrecord", "polyrecord.telemetry", "polyrecord.metrics", "polyrecord.edge", "polyrecord.recorder"]
# What a bot, a strategy and a notebook are told to import.
BOT = {
    "Decision", "EdgeBreakdown", "EventRecorder", "EventType", "MetricsCollector", "PolyrecordError",
    "TraceContext", "bind", "calculate_net_edge", "calculate_percentiles", "configure", "declare_stages",
    "default_recorder", "generate_trace_id", "log_event", "record_decision", "record_latency", "replay",
    "stage",
}  # fmt: skip


@pytest.mark.parametrize("door", DOORS)
def test_the_names_of_a_door_are_sorted_unique_and_there(door: str) -> None:
    module = import_module(door)
    names: list[str] = module.__all__

    assert names == sorted(set(names))
    for name in names:
        assert getattr(module, name) is not None
    assert set(names) <= set(dir(module))


@pytest.mark.parametrize("name", sorted(BOT))
def test_the_package_offers(name: str) -> None:
    assert name in polyrecord.__all__


@pytest.mark.parametrize("door", [telemetry, metrics, edge, recorder])
def test_what_a_door_shares_with_the_package_is_the_same_object(door: object) -> None:
    shared = set(polyrecord.__all__) & set(vars(door)["__all__"])

    assert shared
    for name in shared:
        assert getattr(polyrecord, name) is getattr(door, name)


def test_the_names_a_type_checker_sees_are_those_that_load() -> None:
    tree = ast.parse(inspect.getsource(polyrecord))
    checked = next(node for node in tree.body if isinstance(node, ast.If))
    imports = [node for node in checked.body if isinstance(node, ast.ImportFrom)]
    seen = {alias.name: node.module for node in imports for alias in node.names}

    # `read` is a package that can be called, so that it stays one whoever imports it first.
    assert seen == {**polyrecord._HOMES, "read": "polyrecord.report.frames"}
    assert sorted(seen) == polyrecord.__all__


def test_read_is_a_room_and_a_function(tmp_path: Path) -> None:
    import polyrecord.read.archive as room
    from polyrecord import read

    with polyrecord.EventRecorder(tmp_path) as bot:
        bot.record("note", {"n": 1})

    assert room.Archive(tmp_path).has_shards()
    assert [row["data"] for row in read(tmp_path).to_pylist()] == [{"n": 1}]


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'polyrecord' has no attribute 'nothing'"):
        polyrecord.nothing  # noqa: B018


def test_the_version_is_that_of_the_package() -> None:
    assert polyrecord.__version__ == version("polyrecord")
