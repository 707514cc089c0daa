"""What may be set: names, types, defaults and words."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from polyrecord.settings.units import read_age, read_size

Positive: TypeAlias = Annotated[int, Field(gt=0)]
NotNegative: TypeAlias = Annotated[int, Field(ge=0)]
Share: TypeAlias = Annotated[float, Field(ge=0, le=1)]
Seconds: TypeAlias = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Names: TypeAlias = Annotated[tuple[str, ...], Field(strict=False)]  # TOML has lists


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class RecorderSection(_Section):
    """Options of every EventRecorder that does not give them itself."""

    buffer_size: Positive = Field(default=1000, description="events after which pending ones are flushed")
    flush_interval: Seconds = Field(default=1.0, description="seconds after which pending events are flushed")
    buffer_bytes: Positive = Field(default=64 << 20, description="bytes that may wait in memory")
    overload: Literal["drop_oldest", "drop_newest", "priority", "wait"] = Field(
        default="drop_oldest",
        description="what gives way beyond that: drop_oldest, drop_newest, priority (books first) or wait",
    )
    block_bytes: Positive = Field(
        default=256 << 10, description="bytes of lines in a block: fewer are found faster and compress worse"
    )
    rotate_bytes: Positive = Field(default=256 << 20, description="bytes after which a shard is sealed")
    rotate_events: Positive | None = Field(default=None, description="events after which a shard is sealed")
    rotate_seconds: Seconds | None = Field(default=None, description="seconds after which a shard is sealed")
    join_seconds: Seconds | None = Field(
        default=None, description="seconds after which small blocks of open shards are joined into large ones"
    )
    sync: Literal["never", "interval", "flush"] = Field(
        default="interval", description="when the disk must have them: never, interval or flush"
    )
    sync_seconds: Seconds = Field(default=1.0, description="seconds between two of them, with interval")
    min_free: NotNegative = Field(
        default=16 << 20, description="bytes of the disk that are left alone; 0: none"
    )
    recover: Literal["boot", "all", "never"] = Field(
        default="boot",
        description="whose open shards a start makes whole: boot (dead writers of this boot), all or never",
    )
    sample: dict[str, Share] = Field(default={}, description="part of the traces kept, by event type")
    index_keys: Names = Field(default=(), description="paths whose values find their trace, as data.market")
    stages: Names | None = Field(default=None, description="the latency pipeline, in order")
    bot_id: str | None = Field(default=None, description="written on every line")
    strategy_id: str | None = Field(default=None, description="said in the manifest of each session")
    local_zone: str | None = Field(default=None, description="adds ts_local to each line, as Asia/Kolkata")
    redact: bool = Field(default=True, description="take secrets out before anything is written")
    redact_keys: Names = Field(default=(), description="further names of fields that hold secrets")
    redact_patterns: Names = Field(default=(), description="further values that are secrets, as RE2 patterns")
    redact_allow: Names = Field(default=(), description="names of fields that hold none")
    redact_style: Literal["mask", "hash"] = Field(
        default="mask", description="what stands in their place: [redacted], or a hash (POLYRECORD_HASH_KEY)"
    )
    hash_keys: Names = Field(
        default=(), description="fields whose values become keyed hashes, as account (POLYRECORD_HASH_KEY)"
    )
    compact: bool = Field(
        default=False, description="make typed tables of what was sealed, by a process in the background"
    )
    check: bool = Field(
        default=False, alias="validate", description="raise for events that break their schema"
    )
    metadata: dict[str, JsonValue] = Field(default={}, description="said in the manifest of each session")


class SourceSection(_Section):
    """How logs of other systems are read that lie here."""

    format_name: str | None = Field(
        default=None, alias="from", description="what wrote them, as --from has it; else found out"
    )
    ts: str | None = Field(default=None, description="where the time is, FIELD[:UNIT]")
    type_field: str | None = Field(default=None, description="where the event type is")
    trace_field: str | None = Field(default=None, description="where the trace id is")


class OutputSection(_Section):
    """How commands answer unless they are told."""

    format: Literal["table", "json", "csv"] | None = Field(
        default=None, description="table, json or csv, of the commands that have it"
    )
    colour: Literal["auto", "always", "never"] = Field(
        default="auto", description="auto: on a terminal; NO_COLOR wins over always"
    )


def _age(value: float | str) -> float | str:
    read_age(value)
    return value


def _size(value: int | str) -> int | str:
    read_size(value)
    return value


Age: TypeAlias = Annotated[int | float | str, AfterValidator(_age)]
Size: TypeAlias = Annotated[int | str, AfterValidator(_size)]


class StreamRetention(_Section):
    """What becomes of the sealed shards of one stream."""

    max_age: Age | None = Field(default=None, description="how old the newest event of a shard may become")
    max_shards: Positive | None = Field(default=None, description="how many shards are kept, the newest")
    max_bytes: Size | None = Field(default=None, description="how large they may be together")
    archive_to: str | None = Field(
        default=None, description="the archive they are moved to instead of being deleted"
    )


class RetentionSection(_Section):
    """How long `polyrecord prune` keeps what: a table per stream, as [retention."data/books"], or "*"."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, StreamRetention] = Field(init=False)

    keep: Names = Field(default=(), description="labels of runs, or beginnings of writer ids, kept whatever")

    @property
    def streams(self) -> dict[str, StreamRetention]:
        """The tables, by stream."""
        return dict(self.__pydantic_extra__)


class Model(_Section):
    """The whole of polyrecord.toml."""

    root: str | None = Field(default=None, description="the archive; relative to this file")
    recorder: RecorderSection = RecorderSection()
    source: SourceSection = SourceSection()
    output: OutputSection = OutputSection()
    retention: RetentionSection = RetentionSection()
