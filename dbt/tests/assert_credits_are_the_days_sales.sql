-- Every counted order is credited once, with all of its revenue: order by order, and by channel.

with

sold as (

    select
        merchant_id,
        date_day,
        sum(orders) as orders,
        sum(revenue) as revenue
    from {{ ref('fct_revenue') }}
    group by merchant_id, date_day

),

credited as (

    select
        merchant_id,
        date_day,
        count(*) as orders,
        sum(attributed_revenue) as revenue
    from {{ ref('fct_attributed_orders') }}
    group by merchant_id, date_day

),

by_channel as (

    select
        merchant_id,
        date_day,
        sum(attributed_orders) as orders,
        sum(attributed_revenue) as revenue
    from {{ ref('fct_channel_daily') }}
    group by merchant_id, date_day

)

select
    merchant_id,
    date_day
from sold
full join credited using (merchant_id, date_day)
full join by_channel using (merchant_id, date_day)
where
    coalesce(credited.orders, 0) <> coalesce(sold.orders, 0)
    or coalesce(credited.revenue, 0) <> coalesce(sold.revenue, 0)
    or coalesce(by_channel.orders, 0) <> coalesce(sold.orders, 0)
    or coalesce(by_channel.revenue, 0) <> coalesce(sold.revenue, 0)
