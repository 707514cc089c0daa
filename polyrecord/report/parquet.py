"""Record batches as Parquet: nanoseconds and decimals as they are, times marked as UTC."""

from __future__ import annotations

from typing import IO, Any


def in_utc(schema: Any) -> Any:
    """An Arrow schema whose times are UTC; those of DuckDB have no zone."""
    import pyarrow as pa

    def marked(field: Any) -> Any:
        plain = pa.types.is_timestamp(field.type) and field.type.tz is None
        return field.with_type(pa.timestamp(field.type.unit, "UTC")) if plain else field

    return pa.schema([marked(field) for field in schema])


def write_parquet(reader: Any, file: IO[bytes], limit: int) -> None:
    """The batches of a reader as one Parquet file; with a limit above 0 the first rows only."""
    from pyarrow.parquet import ParquetWriter

    schema, left = in_utc(reader.schema), limit
    with ParquetWriter(file, schema, compression="zstd") as writer:
        for batch in reader:
            rows = batch.slice(0, left) if limit else batch
            writer.write_batch(rows.cast(schema))
            left -= rows.num_rows
            if limit and left <= 0:
                break
