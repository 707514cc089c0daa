"""What a recorder was told: by its caller, else by the settings, else by default."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

from polyrecord.record.policy import Overload, Recover, RotatePolicy, SyncMode, SyncPolicy

if TYPE_CHECKING:
    from polyrecord.record.redact import RedactionPolicy


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a recorder with their defaults."""

    buffer_size: int = 1000
    flush_interval: float = 1.0
    buffer_bytes: int = 64 << 20
    block_bytes: int = 256 << 10
    rotate: RotatePolicy = field(default_factory=RotatePolicy)
    sync: SyncPolicy = field(default_factory=SyncPolicy)
    overload: Overload | str = Overload.DROP_OLDEST
    index_keys: Iterable[str] = ()
    stages: Iterable[str] | None = None
    bot_id: str | None = None
    strategy_id: str | None = None
    validate: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
    min_free: int = 16 << 20
    recover: Recover | str = Recover.BOOT
    sample: Mapping[str, float] = field(default_factory=dict)
    local_zone: str | None = None
    redact: bool | RedactionPolicy = True
    redact_keys: Iterable[str] = ()
    redact_patterns: Iterable[str] = ()
    redact_allow: Iterable[str] = ()
    redact_style: str = "mask"
    hash_keys: Iterable[str] = ()
    compact: bool = False

    @classmethod
    def of(cls, settings: Mapping[str, Any], **given: Any) -> Self:
        """Defaults, over them the settings, over them what is given and not None."""
        policies = {"rotate", "sync"}  # one name in the settings for each of their numbers
        names = set(cls.__slots__) - policies
        told = {name: value for name, value in settings.items() if name in names and value is not None}
        set_ = replace(cls(**told), rotate=_rotate(settings), sync=_sync(settings))
        return replace(set_, **{name: value for name, value in given.items() if value is not None})


def _rotate(settings: Mapping[str, Any]) -> RotatePolicy:
    names = {
        "rotate_bytes": "max_bytes",
        "rotate_events": "max_events",
        "rotate_seconds": "max_seconds",
        "join_seconds": "join_seconds",
    }
    return RotatePolicy(**{names[key]: value for key, value in settings.items() if key in names})


def _sync(settings: Mapping[str, Any]) -> SyncPolicy:
    usual = SyncPolicy()
    mode = SyncMode(settings.get("sync", usual.mode))
    return SyncPolicy(mode, settings.get("sync_seconds", usual.seconds))
