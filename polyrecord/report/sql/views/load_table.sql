-- More lines of one portion: those of which a typed table was made, as they would be had from the lines themselves.
insert into recorded.lines
select
    $portion,
    $origin,
    make_timestamp_ns(ts),
    seq,
    event_type,
    trace_id,
    span_id,
    parent_span_id,
    bot_id,
    intent_id,
    level,
    reason_code,
    data
from read_parquet($path, hive_partitioning = false)
