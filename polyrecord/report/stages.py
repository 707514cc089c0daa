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
    named = [name for writer in writers for name in _manifest_stages(source.root, writer)]
    return tuple(dict.fromkeys((*named, *DEFAULT_STAGES)))


def _manifest_stages(root: Path, writer: str) -> list[str]:
    """What a manifest says of stages; a manifest that is missing or damaged says nothing."""
    try:
        manifest = orjson.loads((root / manifest_path(writer)).read_bytes())
    except (OSError, ValueError):
        return []
    stages = manifest.get("stages") if isinstance(manifest, dict) else None
    return [name for name in stages if isinstance(name, str)] if isinstance(stages, list) else []
