-- Per strategy, decision and part of the edge: the exact sum of all plain amounts and how many digits they have
-- behind the point, every other amount as its text, to be added exactly by the caller, and how many amounts are
-- not there. DECIMAL is exact: 12 digits before the point leave room for a hundred million of the largest.
with decisions as (
    select
        data ->> '/strategy' as strategy,
        data ->> '/decision' as decision,
        unnest(['gross', 'fees', 'slippage', 'gas', 'latency_buffer', 'net']) as part,
        unnest(json_extract_string(data, [
            '/gross_edge', '/fees_est', '/slippage_est', '/gas_est', '/latency_buffer', '/net_edge'
        ])) as amount
    from lines
    where ts is not null
),
amounts as (
    select
        *,
        coalesce(regexp_full_match(amount, '-?[0-9]{1,12}(\.[0-9]{1,18})?'), false) as plain,
        length(amount) - coalesce(nullif(instr(amount, '.'), 0), length(amount)) as digits
    from decisions
)
select
    strategy,
    decision,
    part,
    count(*) as decided,
    count(*) filter (where plain) as plain_amounts,
    sum(try_cast(amount as decimal(38, 18))) filter (where plain) as plain_sum,
    max(digits) filter (where plain) as plain_digits,
    list(amount) filter (where not plain and amount is not null) as others
from amounts
group by strategy, decision, part
order by strategy nulls last, decision nulls last, part
