-- percentile_cont would pass through floating point; the mean of the lower and the upper middle value is the same
-- median, exactly.
with

days as (

    select * from {{ ref('fct_revenue') }}

),

medians as (

    select
        merchant_id,
        date_day,
        sales_channel,
        round(
            (
                percentile_disc(0.5) within group (order by revenue)
                + percentile_disc(0.5) within group (order by revenue desc)
            ) / 2,
            2
        ) as median_order_value
    from {{ ref('fct_orders') }}
    where is_counted
    group by merchant_id, date_day, sales_channel

),

final as (

    select
        days.merchant_id,
        days.date_day,
        days.sales_channel,
        days.currency,
        days.revenue,
        days.orders,
        round(days.revenue / nullif(days.orders, 0), 2) as aov,
        medians.median_order_value,
        1 as metric_version
    from days
    left join medians
        on
            days.merchant_id = medians.merchant_id
            and days.date_day = medians.date_day
            and days.sales_channel = medians.sales_channel

)

select * from final
