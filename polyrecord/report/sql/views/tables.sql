-- What the views are made of: the lines of every portion that was loaded, and how a text becomes a number.
-- An amount that DECIMAL(38,18) would round, and an integer with a fraction, are null rather than nearly right.
create schema recorded;

create table recorded.lines (
    portion usmallint,
    origin uinteger,
    ts timestamp_ns,
    seq ubigint,
    event_type varchar,
    trace_id varchar,
    span_id varchar,
    parent_span_id varchar,
    bot_id varchar,
    intent_id varchar,
    level varchar,
    reason_code varchar,
    data json
);

create macro exact_decimal(amount) as case
    when (length(amount) < 20 and not contains(lower(amount), 'e'))
        or regexp_full_match(amount, '-?[0-9]{0,20}(\.[0-9]{0,18}0*)?')
        or regexp_full_match(amount, '-?[0-9]{1,9}(\.[0-9]{1,9})?[eE][-+]?0?[0-9]')
    then try_cast(amount as decimal(38, 18))
end;

create macro exact_bigint(number) as case
    when regexp_full_match(number, '-?[0-9]+')
    then try_cast(number as bigint)
end;
