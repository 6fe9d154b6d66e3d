-- The latest touch that is not direct, of the order's customer or of the order itself, at most a week before it. A sale
-- that its channel made itself comes before all, what analytics saw of the order only when there is nothing else. So a
-- click in a mail and the visit that it led to need not be made one: the visit is the later of the two.
with

orders as (

    select
        orders.merchant_id,
        orders.date_day,
        orders.sales_channel,
        orders.order_id,
        orders.customer_key,
        customers.customer_identity,
        orders.revenue,
        orders.is_new_customer,
        orders.currency,
        orders.ordered_at
    from {{ ref('fct_orders') }} as orders
    left join {{ ref('int_order_customers') }} as customers
        on
            orders.merchant_id = customers.merchant_id
            and orders.sales_channel = customers.sales_channel
            and orders.order_id = customers.order_id collate "default"
    where orders.is_counted

),

candidates as (

    select
        orders.sales_channel as sold_in,
        orders.order_id as credited_order_id,
        of_customer.*
    from orders
    inner join lateral (
        select touchpoints.*
        from {{ ref('int_touchpoints') }} as touchpoints
        where
            touchpoints.merchant_id = orders.merchant_id
            and touchpoints.customer_identity = orders.customer_identity
            and {{ is_candidate('touchpoints', 'orders') }}
        order by touchpoints.occurred_at desc, touchpoints.priority asc, touchpoints.touchpoint_id asc
        limit 1
    ) as of_customer on true
    union all
    select
        orders.sales_channel as sold_in,
        orders.order_id as credited_order_id,
        of_order.*
    from orders
    inner join lateral (
        select touchpoints.*
        from {{ ref('int_touchpoints') }} as touchpoints
        where
            touchpoints.merchant_id = orders.merchant_id
            and touchpoints.sales_channel = orders.sales_channel
            and touchpoints.order_id = orders.order_id
            -- a customer's own were looked at with all that the customer did
            and touchpoints.customer_identity is null
            and {{ is_candidate('touchpoints', 'orders') }}
        offset 0
    ) as of_order on true

),

credited as (

    select distinct on (merchant_id, sold_in, credited_order_id) *
    from candidates
    order by
        merchant_id asc,
        sold_in asc,
        credited_order_id asc,
        is_native desc,
        is_fallback asc,
        occurred_at desc,
        priority asc,
        touchpoint_id asc

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
        case
            when credited.is_native then 'native'
            when credited.is_fallback then 'ga4_session'
            when credited.touchpoint_id is not null then 'last_click'
            else 'direct'
        end as rule,
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
