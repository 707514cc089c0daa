-- The fields that occur in the data of an event type.
select distinct unnest(json_keys(data)) as name
from recorded.lines
where portion = $portion and event_type = $event_type and json_type(data) = 'OBJECT'
order by name
