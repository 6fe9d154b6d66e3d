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
        sum(discounts) as discounts
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
        merchant_id,
        date_day,
        sales_channel,
        order_id,
        order_name,
        customer_key,
        currency,
        financial_status,
        quantity,
        gross_sales,
        discounts,
        shipping,
        tax_charged,
        duties,
        tips,
        total_price,
        refunds,
        tax_refunded,
        duties_refunded,
        tax,
        fees,
        case
            when not is_counted then 0.00
            when revenue_includes_tax then gross_sales - discounts + shipping - refunds + tax
            else gross_sales - discounts + shipping - refunds
        end as revenue,
        mirrors_channel,
        mirrors_order_id,
        is_counted,
        is_cancelled,
        is_test,
        is_first_order and is_counted and not is_fully_refunded as is_new_customer,
        is_later_order and is_counted as is_returning_customer,
        ordered_at,
        1 as metric_version
    from joined

)

select * from final
