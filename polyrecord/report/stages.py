"""The order in which the writers of an archive declared their stages."""

from __future__ import annotations

from pathlib import Path

import orjson

from polyrecord.events.stages import DEFAULT_STAGES
from polyrecord.format.layout import manifest_path
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source


def declared_stages(source: Source, selection: Selection) -> tuple[str, ...]:
    """The stages that the writers of the selected shards declared, then the usual ones."""
    writers = dict.fromkeys(info.name.writer for info in source.shards(selection))
    named = [name for writer in writers for name in stages_of_writer(source.root / manifest_path(writer))]
    return tuple(dict.fromkeys((*named, *DEFAULT_STAGES)))


def stages_of_writer(manifest: Path) -> tuple[str, ...]:
    """What a manifest says of stages; one that is missing or damaged says nothing."""
    try:
        said = orjson.loads(manifest.read_bytes())
    except (OSError, ValueError):
        return ()
    stages = said.get("stages") if isinstance(said, dict) else None
    return tuple(name for name in stages if isinstance(name, str)) if isinstance(stages, list) else ()
