-- More of the recorded lines: those of which a typed table was made, as they would be had from the lines themselves.
insert into lines
select
    rfc3339(make_timestamp_ns(ts)::varchar),
    seq,
    event_type,
    trace_id,
    span_id,
    parent_span_id,
    bot_id,
    intent_id,
    level,
    reason_code,
    data,
    0
from read_parquet($path, hive_partitioning = false)
