-- What a closed day is held against: the same weekday of the eight weeks before it, moved to the day by how much the
-- shop grew meanwhile. Medians throughout, so that a few days that nobody declared move nothing.
{% set history_days = 56 %}
{% set sales_channels = "'" ~ var('channels') | join("', '") ~ "'" %}

with

recent as (

    select
        days.*,
        min(days.date_day) filter (where days.orders > 0) over (partition by days.merchant_id) as first_day
    from {{ recent_days(
        'fct_daily_metrics', ['orders', 'revenue', 'refunds'], var('judged_days') | int + history_days
    ) }} as days

),

horizons as (

    select
        connected.merchant_id,
        merchants.time_zone,
        min(coalesce(connected.horizon, '-infinity')) as horizon
    from {{ source('published', 'fct_freshness') }} as connected
    inner join {{ source('ops', 'merchants') }} as merchants on connected.merchant_id = merchants.merchant_id
    where connected.channel in ({{ sales_channels }}) and connected.stream = 'orders'
    group by connected.merchant_id, merchants.time_zone

),

spans as (

    select distinct
        merchant_id,
        first_day,
        today
    from recent

),

-- a day without a row had no order, and is the worst of drops
calendar as (

    select
        spans.merchant_id,
        spans.today,
        series.date_at::date as date_day,
        {{ is_promotion('spans.merchant_id', 'series.date_at::date') }} as is_promotion
    from spans
    cross join lateral generate_series(spans.first_day, spans.today - 1, interval '1 day') as series (date_at)

),

-- refunds of an order arrive for weeks: before them, days of any age compare
figures as (

    select
        calendar.merchant_id,
        calendar.date_day,
        calendar.is_promotion,
        calendar.date_day >= calendar.today - {{ var('judged_days') }} as is_judged,
        metrics.metric,
        metrics.figure
    from calendar
    left join recent
        on calendar.merchant_id = recent.merchant_id and calendar.date_day = recent.date_day
    cross join
        lateral (
            values
            ('orders', coalesce(recent.orders, 0)::double precision),
            ('aov', ((recent.revenue + recent.refunds) / nullif(recent.orders, 0))::double precision)
        ) as metrics (metric, figure)
    where metrics.figure is not null

),

history as (

    select
        judged.merchant_id,
        judged.metric,
        judged.date_day,
        past.date_day as past_day,
        past.figure,
        judged.date_day - past.date_day as days_ago
    from figures as judged
    inner join figures as past
        on
            judged.merchant_id = past.merchant_id
            and judged.metric = past.metric
            and past.date_day between judged.date_day - {{ history_days }} and judged.date_day - 1
            and not past.is_promotion
    where judged.is_judged

),

growth as (

    select
        later.merchant_id,
        later.metric,
        later.date_day,
        percentile_cont(0.5) within group (order by ln(later.figure / earlier.figure)) / 28 as daily_growth
    from history as later
    inner join history as earlier
        on
            later.merchant_id = earlier.merchant_id
            and later.metric = earlier.metric
            and later.date_day = earlier.date_day
            and later.past_day = earlier.past_day + 28
            and later.figure > 0
            and earlier.figure > 0
    group by later.merchant_id, later.metric, later.date_day
    having count(*) >= 14

),

moved as (

    select
        history.merchant_id,
        history.metric,
        history.date_day,
        history.days_ago % 7 as weekday,
        history.figure * exp(coalesce(growth.daily_growth, 0) * history.days_ago) as figure
    from history
    left join growth
        on
            history.merchant_id = growth.merchant_id
            and history.metric = growth.metric
            and history.date_day = growth.date_day

),

-- weekday 0 is that of the judged day
weekdays as (

    select
        merchant_id,
        metric,
        date_day,
        weekday,
        count(*) as weeks,
        percentile_cont(0.5) within group (order by figure) as usual
    from moved
    group by merchant_id, metric, date_day, weekday

),

spread as (

    select
        moved.merchant_id,
        moved.metric,
        moved.date_day,
        1.4826 * percentile_cont(0.5) within group (order by abs(moved.figure / weekdays.usual - 1)) as deviation
    from moved
    inner join weekdays
        on
            moved.merchant_id = weekdays.merchant_id
            and moved.metric = weekdays.metric
            and moved.date_day = weekdays.date_day
            and moved.weekday = weekdays.weekday
            and weekdays.usual > 0
    group by moved.merchant_id, moved.metric, moved.date_day

),

expected as (

    select
        figures.merchant_id,
        figures.metric,
        figures.date_day,
        figures.figure,
        figures.is_promotion,
        coalesce(weekdays.weeks, 0) as weeks,
        weekdays.usual as expected,
        coalesce(spread.deviation, 0) * weekdays.usual * (1 + 2.0 / weekdays.weeks) as deviation
    from figures
    left join weekdays
        on
            figures.merchant_id = weekdays.merchant_id
            and figures.metric = weekdays.metric
            and figures.date_day = weekdays.date_day
            and weekdays.weekday = 0
    left join spread
        on
            figures.merchant_id = spread.merchant_id
            and figures.metric = spread.metric
            and figures.date_day = spread.date_day
    where figures.is_judged

),

bounded as (

    select
        expected.merchant_id,
        expected.metric,
        expected.date_day,
        expected.figure,
        expected.is_promotion,
        expected.weeks,
        expected.expected,
        expected.deviation,
        case expected.metric
            when
                'orders'
                then greatest(3 * expected.deviation, 3 * sqrt(expected.expected), 0.15 * expected.expected, 5)
            when 'aov' then greatest(2 * expected.deviation, 0.10 * expected.expected)
        end as tolerance
    from expected

),

final as (

    select
        bounded.merchant_id,
        bounded.date_day,
        bounded.metric,
        round(bounded.figure::numeric, 2) as figure,
        round(bounded.expected::numeric, 2) as expected,
        round(bounded.deviation::numeric, 2) as deviation,
        round(greatest(bounded.expected - bounded.tolerance, 0)::numeric, 2) as lower_bound,
        round((bounded.expected + bounded.tolerance)::numeric, 2) as upper_bound,
        case
            when bounded.is_promotion then 'promotion'
            when
                (bounded.date_day + 1)::timestamp at time zone horizons.time_zone <= horizons.horizon is not true
                then 'provisional'
            when bounded.weeks < 4 then 'too little history'
            when bounded.figure < bounded.expected - bounded.tolerance then 'low'
            when bounded.figure > bounded.expected + bounded.tolerance then 'high'
            else 'normal'
        end as verdict
    from bounded
    left join horizons on bounded.merchant_id = horizons.merchant_id

)

select * from final
