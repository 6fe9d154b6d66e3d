-- What a gate compares a day with when the day before is outside the build: its published row. Never published.
{% set published = published_mart('fct_daily_metrics') %}
{% set days = scope_days() %}

with

built as (

    select
        merchant_id,
        date_day,
        revenue,
        orders
    from {{ ref('fct_daily_metrics') }}

),

known as (

    select * from built
    {%- if published and days %}
    union all
    select
        published.merchant_id,
        published.date_day,
        published.revenue,
        published.orders
    from {{ published }} as published
    left join {{ days }} as days
        on published.merchant_id = days.merchant_id and published.date_day = days.date_day
    where days.date_day is null
    {%- endif %}

),

final as (

    select
        built.merchant_id,
        built.date_day,
        built.revenue,
        built.orders,
        day_before.revenue as revenue_day_before,
        day_before.orders as orders_day_before
    from built
    inner join known as day_before
        on built.merchant_id = day_before.merchant_id and built.date_day = day_before.date_day + 1

)

select * from final
