-- A day has a row when it has an order, a refund or spend, so each of these may be the one that is missing.
with

sales as (

    select
        merchant_id,
        date_day,
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
        sum(fees) as fees,
        sum(cost_of_goods) as cost_of_goods,
        sum(costed_sales) as costed_sales,
        bool_and(is_final) as is_final
    from {{ ref('fct_revenue') }}
    group by merchant_id, date_day

),

spend as (

    select
        merchant_id,
        date_day,
        {{ whole_sum('spend') }} as spend,
        bool_and(is_final) as is_final,
        bool_and(coalesce(is_merchant_day, false)) as is_merchant_day
    from {{ ref('fct_ad_spend') }}
    group by merchant_id, date_day

),

customers as (

    select
        merchant_id,
        date_day,
        count(*) filter (where is_new_customer) as new_customers,
        count(*) filter (where is_returning_customer) as returning_orders,
        count(distinct customer_key) filter (where is_returning_customer) as returning_customers,
        sum(revenue) filter (where is_new_customer) as new_revenue,
        sum(revenue) filter (where is_returning_customer) as returning_revenue,
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

credited as (

    select
        merchant_id,
        date_day,
        count(*) filter (where is_paid) as attributed_orders,
        sum(attributed_revenue) filter (where is_paid) as attributed_revenue,
        count(*) filter (where rule <> 'direct') as orders_with_a_click
    from {{ ref('fct_attributed_orders') }}
    group by merchant_id, date_day

),

journeys as (

    select
        merchant_id,
        date_day,
        count(*) filter (where touches > 0) as orders_with_a_journey
    from {{ ref('fct_customer_journeys') }}
    group by merchant_id, date_day

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

days as (

    select
        merchant_id,
        date_day,
        coalesce(sales.orders, 0) as orders,
        coalesce(sales.gross_sales, 0.00) as gross_sales,
        coalesce(sales.discounts, 0.00) as discounts,
        coalesce(sales.shipping, 0.00) as shipping,
        coalesce(sales.refunds, 0.00) as refunds,
        coalesce(sales.tax, 0.00) as tax,
        coalesce(sales.revenue, 0.00) as revenue,
        coalesce(sales.refunds_cash, 0.00) as refunds_cash,
        coalesce(sales.tax_cash, 0.00) as tax_cash,
        coalesce(sales.revenue_cash, 0.00) as revenue_cash,
        coalesce(sales.duties, 0.00) as duties,
        coalesce(sales.tips, 0.00) as tips,
        sales.fees,
        sales.cost_of_goods,
        coalesce(sales.costed_sales, 0.00) as costed_sales,
        customers.median_order_value,
        coalesce(customers.new_customers, 0) as new_customers,
        coalesce(customers.returning_orders, 0) as returning_orders,
        coalesce(customers.returning_customers, 0) as returning_customers,
        coalesce(customers.new_revenue, 0.00) as new_revenue,
        coalesce(customers.returning_revenue, 0.00) as returning_revenue,
        -- nothing was told: nothing was spent; told, but without a rate: nobody knows
        case when spend.date_day is null then 0 else spend.spend end as spend,
        coalesce(credited.attributed_orders, 0) as attributed_orders,
        coalesce(credited.attributed_revenue, 0.00) as attributed_revenue,
        coalesce(credited.orders_with_a_click, 0) as orders_with_a_click,
        coalesce(journeys.orders_with_a_journey, 0) as orders_with_a_journey,
        coalesce(sales.is_final, true) and coalesce(spend.is_final, true) as is_final,
        coalesce(spend.is_merchant_day, true) as is_merchant_day
    from sales
    full join spend using (merchant_id, date_day)
    left join customers using (merchant_id, date_day)
    left join credited using (merchant_id, date_day)
    left join journeys using (merchant_id, date_day)

),

final as (

    select
        days.merchant_id,
        days.date_day,
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
        days.revenue_cash,
        days.duties,
        days.tips,
        days.fees,
        days.cost_of_goods,
        round(days.costed_sales / nullif(days.gross_sales, 0), 6) as cost_coverage,
        round(days.revenue / nullif(days.orders, 0), 2) as aov,
        days.median_order_value,
        days.new_customers,
        days.returning_customers,
        days.returning_orders,
        days.new_revenue,
        days.returning_revenue,
        round(days.refunds / nullif(days.revenue + days.refunds, 0), 6) as refund_rate,
        round(days.discounts / nullif(days.gross_sales, 0), 6) as discount_rate,
        round(days.returning_orders::numeric / nullif(days.orders, 0), 6) as repeat_rate,
        days.spend,
        days.attributed_orders,
        days.attributed_revenue,
        round(days.orders_with_a_click::numeric / nullif(days.orders, 0), 6) as attribution_rate,
        round(days.orders_with_a_journey::numeric / nullif(days.orders, 0), 6) as attribution_coverage,
        round(days.attributed_revenue / nullif(days.spend, 0), 6) as roas,
        round(days.revenue / nullif(days.spend, 0), 6) as mer,
        round(days.spend / nullif(days.new_customers, 0), 2) as cac,
        round(
            days.revenue - coalesce(days.cost_of_goods, 0) - coalesce(days.fees, 0) - days.spend, 2
        ) as contribution_margin,
        days.is_merchant_day,
        days.is_final,
        1 as metric_version
    from days
    inner join merchants on days.merchant_id = merchants.merchant_id

)

select * from final
