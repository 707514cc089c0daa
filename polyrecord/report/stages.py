"""The order in which the writers of an archive declared their stages."""

from __future__ import annotations

from pathlib import Path

from polyrecord.events.stages import DEFAULT_STAGES
from polyrecord.read.manifests import read_manifest
from polyrecord.read.selection import Selection
from polyrecord.read.source import Source


def declared_stages(source: Source, selection: Selection) -> tuple[str, ...]:
    """The stages that the writers of the selected shards declared, then the usual ones."""
    writers = dict.fromkeys(info.name.writer for info in source.shards(selection))
    named = [name for writer in writers for name in stages_of_writer(source.root, writer)]
    return tuple(dict.fromkeys((*named, *DEFAULT_STAGES)))


def stages_of_writer(root: Path, writer: str) -> tuple[str, ...]:
    """What a writer's manifest says of stages; one that is missing or damaged says nothing."""
    manifest = read_manifest(root, writer)
    stages = None if manifest is None else manifest.content.get("stages")
    return tuple(name for name in stages if isinstance(name, str)) if isinstance(stages, list) else ()
