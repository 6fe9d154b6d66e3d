-- To the last of six decimals, whatever the model.

select
    orders.merchant_id,
    orders.sales_channel,
    orders.order_id,
    credited.model
from {{ ref('fct_orders') }} as orders
inner join {{ ref('fct_attribution_credits') }} as credited
    on
        orders.merchant_id = credited.merchant_id
        and orders.sales_channel = credited.sales_channel
        and orders.order_id = credited.order_id
group by
    orders.merchant_id,
    orders.sales_channel,
    orders.order_id,
    orders.revenue,
    credited.model
having sum(credited.credited_revenue) <> orders.revenue
