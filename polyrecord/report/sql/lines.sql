-- The recorded lines as a table: the envelope typed, data left as JSON. What is no event line is a row of nulls.
-- All lines are of one group until they are put into others.
create temp table lines as
select *, 0 as group_id
from read_json(
    $path,
    format = 'newline_delimited',
    columns = {
        ts: 'VARCHAR', seq: 'UBIGINT', event_type: 'VARCHAR', trace_id: 'VARCHAR', span_id: 'VARCHAR',
        parent_span_id: 'VARCHAR', bot_id: 'VARCHAR', intent_id: 'VARCHAR', level: 'VARCHAR',
        reason_code: 'VARCHAR', data: 'JSON'
    },
    maximum_object_size = $longest,
    ignore_errors = true
)
