-- By every model each counted order is given away once, and nothing else is.

with

expected as (

    select
        orders.merchant_id,
        orders.sales_channel,
        orders.order_id,
        models.model
    from {{ ref('fct_orders') }} as orders
    cross join (
        values ('last_click'), ('first_click'), ('linear'), ('position_based'), ('time_decay')
    ) as models (model)
    where orders.is_counted

),

credited as (

    select
        merchant_id,
        sales_channel,
        order_id,
        model,
        sum(credit) as credit
    from {{ ref('fct_attribution_credits') }}
    group by merchant_id, sales_channel, order_id, model

)

select *
from expected
full join credited using (merchant_id, sales_channel, order_id, model)
where expected.order_id is null or credited.credit is distinct from 1
