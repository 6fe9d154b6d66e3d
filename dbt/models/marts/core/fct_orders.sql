with

orders as (

    select scoped.* from {{ in_scope(ref('int_orders'), 'ordered_at') }} as scoped

),

customers as (

    select * from {{ ref('int_order_customers') }}

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

lines as (

    select
        merchant_id,
        sales_channel,
        order_id,
        sum(quantity)::bigint as quantity,
        sum(gross_sales) as gross_sales,
        sum(discounts) as discounts,
        sum(cost_of_goods) as cost_of_goods,
        sum(gross_sales) filter (where cost_of_goods is not null) as costed_sales
    from {{ ref('fct_order_lines') }}
    group by merchant_id, sales_channel, order_id

),

joined as (

    select
        orders.*,
        (orders.ordered_at at time zone merchants.time_zone)::date as date_day,
        merchants.revenue_includes_tax,
        coalesce(lines.quantity, 0) as quantity,
        coalesce(lines.gross_sales, 0.00) as gross_sales,
        coalesce(lines.discounts, 0.00) as discounts,
        lines.cost_of_goods,
        coalesce(lines.costed_sales, 0.00) as costed_sales,
        orders.tax_charged - orders.tax_refunded as tax,
        ops.customer_key(orders.merchant_id, customers.customer_identity) as customer_key,
        coalesce(customers.first_order_id = orders.order_id, false) as is_first_order,
        coalesce(customers.first_order_id <> orders.order_id, false) as is_later_order
    from orders
    -- fenced, because the planner has no statistics of a union's merchants: expecting one order in a hundred, it would
    -- compare each of them with every order's lines
    inner join lateral (
        select candidates.*
        from merchants as candidates
        where candidates.merchant_id = orders.merchant_id
        offset 0
    ) as merchants on true
    left join lines
        on
            orders.merchant_id = lines.merchant_id
            and orders.sales_channel = lines.sales_channel
            and orders.order_id = lines.order_id
    left join customers
        on
            orders.merchant_id = customers.merchant_id
            and orders.sales_channel = customers.sales_channel
            and orders.order_id = customers.order_id

),

final as (

    select
        joined.merchant_id,
        joined.date_day,
        joined.sales_channel,
        joined.order_id,
        joined.order_name,
        joined.customer_key,
        joined.currency,
        joined.financial_status,
        joined.quantity,
        joined.gross_sales,
        joined.discounts,
        joined.shipping,
        joined.tax_charged,
        joined.duties,
        joined.tips,
        joined.total_price,
        joined.refunds,
        joined.tax_refunded,
        joined.duties_refunded,
        joined.tax,
        joined.fees,
        joined.cost_of_goods,
        joined.costed_sales,
        {{ revenue_of_order('joined') }} as revenue,
        joined.mirrors_channel,
        joined.mirrors_order_id,
        joined.is_counted,
        joined.is_cancelled,
        joined.is_test,
        joined.is_first_order and joined.is_counted and not joined.is_fully_refunded as is_new_customer,
        joined.is_later_order and joined.is_counted as is_returning_customer,
        joined.is_final,
        joined.ordered_at,
        1 as metric_version
    from joined

)

select * from final
