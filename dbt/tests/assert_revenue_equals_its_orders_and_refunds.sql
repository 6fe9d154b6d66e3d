with

orders as (

    select
        merchant_id,
        date_day,
        sum(revenue) as revenue,
        sum(gross_sales - discounts + shipping) filter (where is_counted) as sales,
        count(*) filter (where is_counted) as orders
    from {{ ref('fct_orders') }}
    group by merchant_id, date_day

),

refunds as (

    select
        merchant_id,
        date_day,
        sum(refunds) filter (where is_counted) as refunds_cash
    from {{ ref('fct_refunds') }}
    group by merchant_id, date_day

),

days as (

    select
        merchant_id,
        date_day,
        sum(revenue) as revenue,
        sum(gross_sales - discounts + shipping) as sales,
        sum(refunds_cash) as refunds_cash,
        sum(orders) as orders
    from {{ ref('fct_revenue') }}
    group by merchant_id, date_day

)

select
    merchant_id,
    date_day
from days
full join orders using (merchant_id, date_day)
full join refunds using (merchant_id, date_day)
where
    days.revenue is distinct from coalesce(orders.revenue, 0)
    or days.sales is distinct from coalesce(orders.sales, 0)
    or days.orders is distinct from coalesce(orders.orders, 0)
    or days.refunds_cash is distinct from coalesce(refunds.refunds_cash, 0)
