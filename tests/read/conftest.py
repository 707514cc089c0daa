"""Places for archives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.read.archives import ArchiveMaker


@pytest.fixture
def archive(tmp_path: Path) -> ArchiveMaker:
    """An empty place for an archive."""
    return ArchiveMaker(tmp_path / "archive")


@pytest.fixture
def new_archive() -> Iterator[Callable[[], ArchiveMaker]]:
    """Makes archives in places of their own: for property tests, which need one an example."""
    places: list[TemporaryDirectory[str]] = []

    def make() -> ArchiveMaker:
        places.append(TemporaryDirectory())
        return ArchiveMaker(Path(places[-1].name))

    yield make
    for place in places:
        place.cleanup()
