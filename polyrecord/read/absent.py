"""A shard that cannot be read: damage, unless it was deleted on purpose meanwhile."""

from __future__ import annotations

from polyrecord.read.archive import ShardInfo
from polyrecord.read.explain import Explain, Finding
from polyrecord.read.pruned import was_pruned


def was_deleted(info: ShardInfo, error: OSError) -> bool:
    """Whether a shard cannot be read because retention deleted it since it was listed."""
    return isinstance(error, FileNotFoundError) and was_pruned(info.root, info.name)


def tell_absent(info: ShardInfo, error: OSError, explain: Explain) -> None:
    """Note that a shard cannot be read; one that was deleted on purpose is passed over."""
    if not was_deleted(info, error):
        explain.found(Finding(info.path, 0, 0, None, f"shard cannot be read: {error.strerror}"))
