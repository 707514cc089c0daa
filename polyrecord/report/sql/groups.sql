-- The groups there are, by number.
select group_id, value, events
from groups
order by group_id
