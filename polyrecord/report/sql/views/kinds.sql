-- The JSON types that occur in these fields; BIG is an integer beyond 64 bits, which DuckDB takes for a double.
with fields as (
    select
        unnest($names::varchar[]) as name,
        unnest(json_type(data, $pointers::varchar[])) as kind,
        unnest(json_extract_string(data, $pointers::varchar[])) as value
    from recorded.lines
    where portion = $portion and event_type = $event_type
)
select
    name,
    list(distinct case
        when kind in ('UBIGINT', 'DOUBLE') and length(value) > 18
            and regexp_full_match(value, '-?[0-9]+') and try_cast(value as bigint) is null
        then 'BIG'
        else kind
    end)
from fields
where kind is not null
group by name
