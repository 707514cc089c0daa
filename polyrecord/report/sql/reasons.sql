-- Why decisions were rejected, the commonest first: the reason's code where there is one, else its text.
select
    group_id,
    coalesce(data ->> '/reason_code', reason_code, data ->> '/reason') as reason,
    count(*) as rejected
from lines
where ts is not null and group_id is not null and data ->> '/decision' = 'REJECT'
group by all
order by rejected desc, group_id, reason nulls last
