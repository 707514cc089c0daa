-- Puts every line into its group; beyond the first $most groups, and where it is no event, into none.
update lines
set group_id = numbered.group_id
from (
    select line_values.line, case when groups.group_id <= $most then groups.group_id end as group_id
    from line_values
    join groups on groups.value is not distinct from line_values.value
) as numbered
where lines.rowid = numbered.line
