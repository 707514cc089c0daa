-- Per group, decision and part of the edge: the exact sum of all plain amounts and how many digits they have behind the
-- point, every other amount as its text, to be added exactly by the caller, and how many amounts are not there. An event
-- that has neither a decision nor any amount is none. DECIMAL is exact: 12 digits before the point leave room for a
-- hundred million of the largest.
with told as (
    select
        group_id,
        data ->> '/decision' as decision,
        json_extract_string(data, [
            '/gross_edge', '/fees_est', '/slippage_est', '/gas_est', '/latency_buffer', '/net_edge'
        ]) as parts
    from lines
    where ts is not null and group_id is not null
),
decisions as (
    select
        group_id,
        decision,
        unnest(['gross', 'fees', 'slippage', 'gas', 'latency_buffer', 'net']) as part,
        unnest(parts) as amount
    from told
    where decision is not null or list_count(parts) > 0
),
amounts as (
    select
        *,
        coalesce(regexp_full_match(amount, '-?[0-9]{1,12}(\.[0-9]{1,18})?'), false) as plain,
        length(amount) - coalesce(nullif(instr(amount, '.'), 0), length(amount)) as digits
    from decisions
)
select
    group_id,
    decision,
    part,
    count(*) as decided,
    count(*) filter (where plain) as plain_amounts,
    sum(try_cast(amount as decimal(38, 18))) filter (where plain) as plain_sum,
    max(digits) filter (where plain) as plain_digits,
    list(amount) filter (where not plain and amount is not null) as others
from amounts
group by group_id, decision, part
order by group_id, decision nulls last, part
