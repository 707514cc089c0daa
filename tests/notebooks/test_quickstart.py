"""notebooks/quickstart.ipynb runs, draws its figures, and prints numbers that gzip and json agree with."""

from __future__ import annotations

import base64
import io
import re
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import matplotlib.image
import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from polyrecord.testing import read_lines

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "quickstart.ipynb"
STAGES = ("ws_to_book_update_ms", "book_to_signal_ms", "signal_to_risk_ms", "risk_to_send_ms")
PARTS = ("gross_edge", "fees_est", "slippage_est", "gas_est", "latency_buffer", "net_edge")


def quickstart() -> Any:
    """The notebook as it lies in the repository."""
    return nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the notebook runs and puts its archive."""
    return tmp_path_factory.mktemp("quickstart")


@pytest.fixture(scope="module")
def outputs(place: Path) -> list[Any]:
    """What the cells of the notebook put out; the first error ends the run."""
    notebook = quickstart()
    client = NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(place)}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(place))
        patch.setenv("MPLCONFIGDIR", str(place / "matplotlib"))
        client.execute()
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


@pytest.fixture(scope="module")
def printed(outputs: list[Any]) -> str:
    """Everything the notebook prints."""
    return "".join(output["text"] for output in outputs if output.get("name") == "stdout")


@pytest.fixture(scope="module")
def events(outputs: list[Any], place: Path) -> list[dict[str, Any]]:
    """What the notebook recorded."""
    assert outputs
    [root] = place.glob("polyrecord-*")
    return read_lines(root)


def of_type(events: list[dict[str, Any]], event_type: str) -> list[dict[str, Any]]:
    """The data of all events of a type."""
    return [event["data"] for event in events if event["event_type"] == event_type]


def test_the_notebook_complains_about_nothing(outputs: list[Any]) -> None:
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []


def test_it_records_some_thousand_events_within_traces(events: list[dict[str, Any]], printed: str) -> None:
    assert len(events) > 3_000
    assert all("trace_id" in event for event in events)
    assert f"{len(events):,} events in " in printed
    for event_type, count in Counter(event["event_type"] for event in events).items():
        assert re.search(rf"\b{event_type} +│ +{count} │", printed)


def test_its_percentiles_are_those_of_numpy(events: list[dict[str, Any]], printed: str) -> None:
    for stage in STAGES:
        values = [data[stage] for data in of_type(events, "latency") if data[stage] is not None]
        found = re.findall(rf"^{stage} +(\d+) p(\d+) ([\d.]+) ms$", printed, re.MULTILINE)
        expected = [(len(values), q, float(np.percentile(values, q))) for q in (50, 95, 99)]
        assert [(int(n), int(q)) for n, q, _ in found] == [row[:2] for row in expected]
        assert [float(ms) for *_, ms in found] == pytest.approx([row[2] for row in expected], abs=1e-6)


def test_its_edge_is_exact(events: list[dict[str, Any]], printed: str) -> None:
    accepted = [data for data in of_type(events, "decision") if data["decision"] == "ACCEPT"]
    assert len(accepted) > 100
    for part in PARTS:
        [shown] = re.findall(rf"^{part} +([\d.]+)$", printed, re.MULTILINE)
        assert Decimal(shown) == sum(Decimal(data[part]) for data in accepted)


def test_its_decisions_are_counted_by_reason(events: list[dict[str, Any]], printed: str) -> None:
    decided = Counter(
        "accepted" if data["decision"] == "ACCEPT" else data["reason"] for data in of_type(events, "decision")
    )
    assert len(decided) == 4
    for label, count in decided.items():
        assert re.search(rf"^{label} +{count}$", printed, re.MULTILINE)


def test_it_draws_three_figures(outputs: list[Any]) -> None:
    """Each with ink on it: neither blank, nor one block of colour."""
    figures = [output["data"]["image/png"] for output in outputs if "image/png" in output.get("data", ())]
    assert len(figures) == 3
    for figure in figures:
        pixels = matplotlib.image.imread(io.BytesIO(base64.b64decode(figure)), format="png")[..., :3]
        ink = float((pixels.min(axis=2) < 0.9).mean())
        assert pixels.shape[0] > 300
        assert 0.02 < ink < 0.6
        assert len(np.unique(pixels[::7, ::7].reshape(-1, 3), axis=0)) > 20


def test_it_is_kept_without_outputs() -> None:
    """So that a change of it can be read; run it to see them."""
    cells = [cell for cell in quickstart().cells if cell.cell_type == "code"]
    assert [cell for cell in cells if cell.outputs or cell.execution_count is not None] == []
