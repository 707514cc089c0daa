-- The recorded lines as a table: the envelope typed, data left as JSON. What is no event line is a row of nulls.
create temp table lines as
select ts, seq, trace_id, reason_code, data
from read_json(
    $path,
    format = 'newline_delimited',
    columns = {
        ts: 'VARCHAR', seq: 'UBIGINT', trace_id: 'VARCHAR',
        reason_code: 'VARCHAR', data: 'JSON'
    },
    maximum_object_size = $longest,
    ignore_errors = true
)
