-- The event types of a portion and how many events each has; those without a type could not be read as events.
select event_type, count(*), count(*) filter (where ts is null)
from recorded.lines
where portion = $portion
group by event_type
