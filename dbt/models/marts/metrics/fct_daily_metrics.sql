with

days as (

    select
        merchant_id,
        date_day,
        currency,
        sum(orders)::bigint as orders,
        sum(gross_sales) as gross_sales,
        sum(discounts) as discounts,
        sum(shipping) as shipping,
        sum(refunds) as refunds,
        sum(tax) as tax,
        sum(revenue) as revenue,
        sum(refunds_cash) as refunds_cash,
        sum(tax_cash) as tax_cash,
        sum(revenue_cash) as revenue_cash,
        sum(duties) as duties,
        sum(tips) as tips,
        sum(fees) as fees
    from {{ ref('fct_revenue') }}
    group by merchant_id, date_day, currency

),

customers as (

    select
        merchant_id,
        date_day,
        count(*) filter (where is_new_customer) as new_customers,
        count(*) filter (where is_returning_customer) as returning_orders,
        round(
            (
                percentile_disc(0.5) within group (order by revenue) filter (where is_counted)
                + percentile_disc(0.5) within group (order by revenue desc) filter (where is_counted)
            ) / 2,
            2
        ) as median_order_value
    from {{ ref('fct_orders') }}
    group by merchant_id, date_day

),

final as (

    select
        days.merchant_id,
        days.date_day,
        days.currency,
        days.orders,
        days.gross_sales,
        days.discounts,
        days.shipping,
        days.refunds,
        days.tax,
        days.revenue,
        days.refunds_cash,
        days.tax_cash,
        days.revenue_cash,
        days.duties,
        days.tips,
        days.fees,
        round(days.revenue / nullif(days.orders, 0), 2) as aov,
        customers.median_order_value,
        coalesce(customers.new_customers, 0) as new_customers,
        coalesce(customers.returning_orders, 0) as returning_orders,
        round(days.refunds / nullif(days.revenue + days.refunds, 0), 6) as refund_rate,
        round(days.discounts / nullif(days.gross_sales, 0), 6) as discount_rate,
        round(customers.returning_orders::numeric / nullif(days.orders, 0), 6) as repeat_rate,
        1 as metric_version
    from days
    left join customers on days.merchant_id = customers.merchant_id and days.date_day = customers.date_day

)

select * from final
