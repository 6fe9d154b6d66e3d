with

orders as (

    select
        merchant_id,
        date_day,
        sales_channel,
        count(*) filter (where is_counted) as orders,
        sum(gross_sales) filter (where is_counted) as gross_sales,
        sum(discounts) filter (where is_counted) as discounts,
        sum(shipping) filter (where is_counted) as shipping,
        sum(refunds) filter (where is_counted) as refunds,
        sum(tax_charged) filter (where is_counted) as tax_charged,
        sum(tax) filter (where is_counted) as tax,
        sum(duties) filter (where is_counted) as duties,
        sum(tips) filter (where is_counted) as tips,
        sum(revenue) as revenue,
        sum(fees) filter (where is_counted) as fees,
        sum(cost_of_goods) filter (where is_counted) as cost_of_goods,
        sum(costed_sales) filter (where is_counted) as costed_sales,
        bool_and(is_final) as is_final
    from {{ ref('fct_orders') }}
    group by merchant_id, date_day, sales_channel

),

refunds as (

    select
        merchant_id,
        date_day,
        sales_channel,
        sum(refunds) filter (where is_counted) as refunds_cash,
        sum(tax_refunded) filter (where is_counted) as tax_refunded_cash,
        bool_and(is_final) as is_final
    from {{ ref('fct_refunds') }}
    group by merchant_id, date_day, sales_channel

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

days as (

    select
        merchant_id,
        date_day,
        sales_channel,
        coalesce(orders.orders, 0) as orders,
        coalesce(orders.gross_sales, 0.00) as gross_sales,
        coalesce(orders.discounts, 0.00) as discounts,
        coalesce(orders.shipping, 0.00) as shipping,
        coalesce(orders.refunds, 0.00) as refunds,
        coalesce(orders.tax, 0.00) as tax,
        coalesce(orders.duties, 0.00) as duties,
        coalesce(orders.tips, 0.00) as tips,
        coalesce(orders.revenue, 0.00) as revenue,
        coalesce(refunds.refunds_cash, 0.00) as refunds_cash,
        coalesce(orders.tax_charged, 0.00) - coalesce(refunds.tax_refunded_cash, 0.00) as tax_cash,
        orders.fees,
        orders.cost_of_goods,
        coalesce(orders.costed_sales, 0.00) as costed_sales,
        coalesce(orders.is_final, true) and coalesce(refunds.is_final, true) as is_final
    from orders
    full join refunds using (merchant_id, date_day, sales_channel)

),

final as (

    select
        days.merchant_id,
        days.date_day,
        days.sales_channel,
        merchants.currency,
        days.orders,
        days.gross_sales,
        days.discounts,
        days.shipping,
        days.refunds,
        days.tax,
        days.revenue,
        days.refunds_cash,
        days.tax_cash,
        days.gross_sales - days.discounts + days.shipping - days.refunds_cash
        + case when merchants.revenue_includes_tax then days.tax_cash else 0.00 end as revenue_cash,
        days.duties,
        days.tips,
        days.fees,
        days.cost_of_goods,
        days.costed_sales,
        days.is_final,
        1 as metric_version
    from days
    inner join merchants on days.merchant_id = merchants.merchant_id

)

select * from final
