"""What every test may use: the tools of the machine, and real recordings where they are at hand."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

REPO = Path(__file__).resolve().parent.parent
# where it differs from the command
PACKAGES = {"java": "default-jre-headless", "rg": "ripgrep", "zcat": "gzip", "zgrep": "gzip"}

# No deadline: a slow machine is no failure. In CI the same examples every time.
settings.register_profile("polyrecord", deadline=None, print_blob=True)
settings.register_profile("ci", parent=settings.get_profile("polyrecord"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") == "true" else "polyrecord")

# A developer's own settings must not reach the tests.
for name in [name for name in os.environ if name.startswith("POLYRECORD_")]:
    if name not in {"POLYRECORD_TEST_DATA", "POLYRECORD_FAILED_CHECKS"}:
        del os.environ[name]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names the checks of scripts/test that failed before pytest, just above pytest's last line."""
    failed = os.environ.get("POLYRECORD_FAILED_CHECKS")
    if failed:
        terminalreporter.write_line(f"failed before pytest: {failed.replace(',', ', ')}", red=True)


@pytest.fixture(scope="session")
def require_tool() -> Callable[[str], str]:
    """`require_tool("rg")` gives the tool's path; without the tool the test is skipped, in CI it fails."""

    def find(name: str) -> str:
        path = shutil.which(name)
        if path is not None:
            return path
        message = f"{name} is not installed: apt-get install {PACKAGES.get(name, name)}"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)

    return find


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; where it is absent the test is skipped, in CI too."""
    place = Path(os.environ.get("POLYRECORD_TEST_DATA") or REPO.parent / "shared" / "data")
    if not place.is_dir():
        pytest.skip(f"no recordings at {place}: set POLYRECORD_TEST_DATA to their folder")
    return place
