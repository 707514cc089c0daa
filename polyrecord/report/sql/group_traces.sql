-- Lines take the value that other events of their traces have: $traces and $values are a row each, the trace ids
-- without dashes, in lower case.
update line_values
set value = told.value
from (select unnest($traces::varchar[]) as trace, unnest($values::varchar[]) as value) as told
where lower(replace(line_values.trace_id, '-', '')) = told.trace
