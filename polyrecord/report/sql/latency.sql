-- Per stage: how often it was measured, missing or negative, how long it took, and the traces it took longest in.
-- $pointers are the stages as JSON pointers; a row's stage is the place in that list. Only a finite number counts
-- as measured. Percentiles are interpolated linearly, as numpy does by default.
with members as (
    select
        rowid as line,
        trace_id is not null as traced,
        unnest(range(len($pointers::varchar[]))) as stage,
        try_cast(unnest(json_extract(data, $pointers::varchar[])::varchar[]) as double) as value
    from lines
    where ts is not null
),
measured as materialized (
    select line, traced, stage, value
    from members
    where isfinite(value)
),
spread as (
    select
        stage,
        count(*) filter (where value >= 0) as measured,
        count(*) filter (where value < 0) as negative,
        min(value) filter (where value >= 0) as least,
        favg(value) filter (where value >= 0) as mean,
        max(value) filter (where value >= 0) as most,
        quantile_cont(value, [0.5, 0.95, 0.99, 0.999]) filter (where value >= 0) as quantiles
    from measured
    group by stage
),
cut as (
    select stage, list_min(max(value, $worst)) as least
    from measured
    where value >= 0 and traced
    group by stage
),
longest as (
    select measured.line, measured.stage, measured.value
    from measured
    join cut on measured.stage = cut.stage and measured.value >= cut.least
    where measured.traced
),
ranked as (
    select
        longest.stage,
        lines.trace_id,
        row_number() over (partition by longest.stage order by value desc, ts, seq) as place
    from longest
    join lines on longest.line = lines.rowid
),
worst as (
    select stage, list(trace_id order by place) as traces
    from ranked
    where place <= $worst
    group by stage
)
select spread.*, worst.traces
from spread
left join worst on spread.stage = worst.stage
