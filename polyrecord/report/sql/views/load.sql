-- More lines of one portion. What is no event line becomes a row without an event type.
insert into recorded.lines
select
    $portion,
    coalesce("polyrecord origin", $origin),
    try_cast(ts as timestamp_ns),
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
from read_json(
    $path,
    format = 'newline_delimited',
    columns = {
        "polyrecord origin": 'UINTEGER', ts: 'VARCHAR', seq: 'UBIGINT', event_type: 'VARCHAR',
        trace_id: 'VARCHAR', span_id: 'VARCHAR', parent_span_id: 'VARCHAR', bot_id: 'VARCHAR',
        intent_id: 'VARCHAR', level: 'VARCHAR', reason_code: 'VARCHAR', data: 'JSON'
    },
    maximum_object_size = $longest,
    ignore_errors = true
)
