-- The stages that occur in latency events, measured or null: members of data whose name ends in _ms.
with shapes as (
    select distinct json_keys(data) as names
    from lines
    where json_type(data) = 'OBJECT'
),
members as (
    select distinct unnest(names) as name
    from shapes
)
select name
from members
where ends_with(name, '_ms')
order by name
