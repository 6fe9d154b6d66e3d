-- Each counted order with the touch that it is credited to; without one it is direct.
with

orders as (

    select * from {{ ref('fct_orders') }}
    where is_counted

),

credited as (

    select
        clicks.sales_channel as sold_in,
        clicks.order_id as credited_order_id,
        clicks.rule,
        touchpoints.*
    from {{ ref('int_last_clicks') }} as clicks
    inner join {{ ref('int_touchpoints') }} as touchpoints
        on clicks.merchant_id = touchpoints.merchant_id and clicks.touchpoint_id = touchpoints.touchpoint_id

),

final as (

    select
        orders.merchant_id,
        orders.date_day,
        orders.sales_channel,
        orders.order_id,
        orders.customer_key,
        credited.touchpoint_id,
        credited.occurred_at,
        coalesce(credited.source, 'direct') as source,
        coalesce(credited.medium, 'none') as medium,
        credited.campaign,
        coalesce(credited.channel, 'direct') as channel,
        coalesce(credited.is_paid, false) as is_paid,
        credited.ad_platform,
        coalesce(credited.in_taxonomy, true) as in_taxonomy,
        coalesce(credited.is_malformed, false) as is_malformed,
        credited.resolved_by,
        coalesce(credited.rule, 'direct') as rule,
        orders.revenue as attributed_revenue,
        orders.is_new_customer,
        orders.currency,
        orders.ordered_at,
        1 as metric_version
    from orders
    left join credited
        on
            orders.merchant_id = credited.merchant_id
            and orders.sales_channel = credited.sold_in
            and orders.order_id = credited.credited_order_id

)

select * from final
