-- What raw holds of each business day, in the terms that a shop gives its own totals in. Read by the control totals.
with

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

lines as (

    select
        merchant_id,
        sales_channel,
        order_id,
        count(*) as lines,
        sum(gross_sales) as gross_sales
    from {{ ref('int_order_lines') }}
    group by merchant_id, sales_channel, order_id

),

final as (

    select
        orders.merchant_id,
        orders.sales_channel,
        (orders.ordered_at at time zone merchants.time_zone)::date as date_day,
        count(*) as orders,
        coalesce(sum(lines.gross_sales) filter (where not orders.is_test), 0.00) as gross_sales,
        coalesce(sum(lines.lines), 0) as lines
    from {{ ref('int_channel_orders') }} as orders
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
    group by orders.merchant_id, orders.sales_channel, date_day

)

select * from final
