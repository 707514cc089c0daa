-- Per group and stage: how often it was measured, missing or negative, how long it took, and the traces it took
-- longest in. $pointers are the stages as JSON pointers; a row's stage is the place in that list. Only a finite number
-- counts as measured. Percentiles are interpolated linearly, as numpy does by default.
with members as (
    select
        rowid as line,
        group_id,
        trace_id is not null as traced,
        unnest(range(len($pointers::varchar[]))) as stage,
        try_cast(unnest(json_extract(data, $pointers::varchar[])::varchar[]) as double) as value
    from lines
    where ts is not null and group_id is not null
),
measured as materialized (
    select line, group_id, traced, stage, value
    from members
    where isfinite(value)
),
spread as (
    select
        group_id,
        stage,
        count(*) filter (where value >= 0) as measured,
        count(*) filter (where value < 0) as negative,
        min(value) filter (where value >= 0) as least,
        favg(value) filter (where value >= 0) as mean,
        max(value) filter (where value >= 0) as most,
        quantile_cont(value, [0.5, 0.95, 0.99, 0.999]) filter (where value >= 0) as quantiles
    from measured
    group by group_id, stage
),
cut as (
    select group_id, stage, list_min(max(value, $worst)) as least
    from measured
    where value >= 0 and traced
    group by group_id, stage
),
longest as (
    select measured.line, measured.group_id, measured.stage, measured.value
    from measured
    join cut
        on measured.group_id = cut.group_id and measured.stage = cut.stage and measured.value >= cut.least
    where measured.traced
),
ranked as (
    select
        longest.group_id,
        longest.stage,
        lines.trace_id,
        row_number() over (partition by longest.group_id, longest.stage order by value desc, ts, seq) as place
    from longest
    join lines on longest.line = lines.rowid
),
worst as (
    select group_id, stage, list(trace_id order by place) as traces
    from ranked
    where place <= $worst
    group by group_id, stage
)
select spread.*, worst.traces
from spread
left join worst on spread.group_id = worst.group_id and spread.stage = worst.stage
