-- What each line is grouped by: the first $length characters of its time, else the member $member of the line, else
-- what its data holds at $pointer. Nothing of the question is part of this text.
create temp table line_values as
select
    rowid as line,
    trace_id,
    coalesce(
        case when $length > 0 then substr(ts, 1, $length) end,
        case $member
            when 'ts' then ts
            when 'seq' then seq::varchar
            when 'event_type' then event_type
            when 'trace_id' then trace_id
            when 'span_id' then span_id
            when 'parent_span_id' then parent_span_id
            when 'bot_id' then bot_id
            when 'intent_id' then intent_id
            when 'level' then level
            when 'reason_code' then reason_code
        end,
        json_extract_string(data, $pointer)
    ) as value
from lines
where ts is not null
