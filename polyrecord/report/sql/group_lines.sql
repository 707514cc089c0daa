-- Numbers the groups from 1, the largest first.
create temp table groups as
select
    row_number() over (order by events desc, value nulls last) as group_id,
    value,
    events
from (
    select value, count(*) as events
    from line_values
    group by value
)
