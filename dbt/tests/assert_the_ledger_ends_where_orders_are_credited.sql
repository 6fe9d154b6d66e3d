-- The touch that an order is credited to is the last that the ledger keeps, and an order without one is direct.
with

last_clicks as (

    select * from {{ ref('fct_attribution_ledger') }}
    where is_last_click

)

select
    coalesce(credited.merchant_id, last_clicks.merchant_id) as merchant_id,
    coalesce(credited.order_id, last_clicks.order_id) as order_id
from {{ ref('fct_attributed_orders') }} as credited
full join last_clicks
    on
        credited.merchant_id = last_clicks.merchant_id
        and credited.sales_channel = last_clicks.sales_channel
        and credited.order_id = last_clicks.order_id
where credited.touchpoint_id is distinct from last_clicks.touchpoint_id
