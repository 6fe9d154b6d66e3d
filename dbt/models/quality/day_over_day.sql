-- A jump stays told while its day is among the last closed ones, whatever the latest build was about.
with

known as (

    select recent.*
    from {{ recent_days('fct_daily_metrics', ['revenue', 'orders'], var('judged_days') | int + 1) }} as recent

),

final as (

    select
        known.merchant_id,
        known.date_day,
        known.revenue,
        known.orders,
        day_before.revenue as revenue_day_before,
        day_before.orders as orders_day_before
    from known
    inner join known as day_before
        on known.merchant_id = day_before.merchant_id and known.date_day = day_before.date_day + 1
    where not {{ is_promotion('known.merchant_id', 'known.date_day') }}

)

select * from final
