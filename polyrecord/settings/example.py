"""A polyrecord.toml with every setting in it, made from the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from polyrecord.settings.files import SECTIONS

_SAMPLES = {"root": "archive", "bot_id": "bot-1", "from": "generic", "ts": "ts:ms", "type_field": "type",
            "trace_field": "trace_id", "strategy_id": "arb-3", "local_zone": "Asia/Kolkata",
            "stages": ["book_to_signal_ms"], "format": "json"}  # fmt: skip


def example() -> str:
    """The file's text: each setting commented out, at its default or with a sample."""
    from polyrecord.settings.model import Model

    model = Model()
    lines = [
        "# Settings of polyrecord. What is commented out is at its default.",
        "",
        *_lines(model, ("root",)),
    ]
    for section in SECTIONS:
        part = getattr(model, section)
        about = (type(part).__doc__ or "").strip()
        lines += ["", f"# {about}", f"[{section}]", *_lines(part, part.model_dump(by_alias=True))]
    return "\n".join([*lines, *_stream_sample(), ""])


def _stream_sample() -> Iterator[str]:
    """The table of all streams that have none of their own."""
    from polyrecord.settings.model import StreamRetention

    yield '[retention."*"]'
    samples = {"max_age": "30d", "max_shards": 1000, "max_bytes": "50GB", "archive_to": "/mnt/archive"}
    for name, field in StreamRetention.model_fields.items():
        yield f"# {name} = {orjson.dumps(samples[name]).decode()}  # {field.description}"


def _lines(part: Any, names: Any) -> Iterator[str]:
    fields = {field.alias or name: field for name, field in type(part).model_fields.items()}
    values = part.model_dump(by_alias=True)
    for name in names:
        value = values[name] if values[name] is not None else _SAMPLES.get(name, 100_000)
        text = "{}" if value == {} else orjson.dumps(value).decode()
        yield f"# {name} = {text}  # {fields[name].description}"
