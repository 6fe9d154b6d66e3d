-- An order's goods, and what is known of their cost, are the sums of its lines.

with

lines as (

    select
        merchant_id,
        sales_channel,
        order_id,
        sum(quantity) as quantity,
        sum(gross_sales) as gross_sales,
        sum(discounts) as discounts,
        sum(cost_of_goods) as cost_of_goods,
        coalesce(sum(gross_sales) filter (where cost_of_goods is not null), 0) as costed_sales
    from {{ ref('fct_order_lines') }}
    group by merchant_id, sales_channel, order_id

)

select
    merchant_id,
    sales_channel,
    order_id
from {{ ref('fct_orders') }} as orders
full join lines using (merchant_id, sales_channel, order_id)
where
    orders.quantity is distinct from coalesce(lines.quantity, 0)
    or orders.gross_sales is distinct from coalesce(lines.gross_sales, 0)
    or orders.discounts is distinct from coalesce(lines.discounts, 0)
    or orders.cost_of_goods is distinct from lines.cost_of_goods
    or orders.costed_sales is distinct from coalesce(lines.costed_sales, 0)
