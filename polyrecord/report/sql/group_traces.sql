-- Lines take the value that other events of their traces have: $traces and $values are a row each, the trace ids in
-- their normal form (docs/format.md, section 3): hex without dashes, all in lower case.
update line_values
set value = told.value
from (select unnest($traces::varchar[]) as trace, unnest($values::varchar[]) as value) as told
where told.trace = case
    when regexp_full_match(replace(line_values.trace_id, '-', ''), '[0-9a-fA-F]+')
        then lower(replace(line_values.trace_id, '-', ''))
    else lower(line_values.trace_id)
end
