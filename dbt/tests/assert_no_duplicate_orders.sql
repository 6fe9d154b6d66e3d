-- No order is there twice, and no copy counts beside its original.

select
    merchant_id,
    sales_channel,
    order_id
from {{ ref('fct_orders') }}
group by merchant_id, sales_channel, order_id
having count(*) > 1
union all
select
    copies.merchant_id,
    copies.sales_channel,
    copies.order_id
from {{ ref('fct_orders') }} as copies
inner join {{ ref('int_orders') }} as originals
    on
        copies.merchant_id = originals.merchant_id
        and copies.mirrors_channel = originals.sales_channel
        and copies.mirrors_order_id = originals.order_id
where copies.is_counted
