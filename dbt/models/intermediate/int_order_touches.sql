-- What the ledger looks at for each counted order, found as the last click is: the touches of its customer, or its own
-- when it names nobody. All of the window, and the nearest of the time around it; each piece by its index.
{%- set hours = var('attribution_window_hours') %}
{%- set nearest = 20 %}
with

orders as (

    select
        -- short, because it is what millions of rows are sorted by
        row_number() over () as order_number,
        orders.merchant_id,
        orders.date_day,
        orders.sales_channel,
        orders.order_id,
        orders.ordered_at,
        customers.customer_identity,
        orders.ordered_at - interval '{{ hours }} hours' as window_from,
        orders.ordered_at - interval '{{ 2 * hours }} hours' as looked_from,
        (orders.date_day + 1)::timestamp at time zone merchants.time_zone as looked_until
    from {{ ref('fct_orders') }} as orders
    inner join {{ source('ops', 'merchants') }} as merchants on orders.merchant_id = merchants.merchant_id
    left join {{ ref('int_order_customers') }} as customers
        on
            orders.merchant_id = customers.merchant_id
            and orders.sales_channel = customers.sales_channel
            and orders.order_id = customers.order_id collate "default"
    where orders.is_counted

),

looked_at as (

    select
        orders.order_number,
        orders.merchant_id,
        orders.date_day,
        orders.sales_channel,
        orders.order_id,
        orders.ordered_at,
        orders.customer_identity,
        touches.touchpoint_id,
        touches.contact_id,
        touches.touch_channel,
        touches.occurred_at,
        touches.source,
        touches.medium,
        touches.campaign,
        touches.channel,
        touches.is_paid,
        touches.is_direct,
        touches.is_excluded,
        touches.is_native,
        touches.is_fallback,
        touches.priority,
        touches.resolved_by,
        touches.occurred_at between orders.window_from and orders.ordered_at as is_in_window,
        touches.order_id is null as names_no_order
    from orders
    inner join lateral (
        select in_window.*
        from {{ ref('int_touchpoints') }} as in_window
        where
            in_window.merchant_id = orders.merchant_id
            and in_window.customer_identity = orders.customer_identity
            and in_window.occurred_at between orders.window_from and orders.ordered_at
        union all
        select own.*
        from {{ ref('int_touchpoints') }} as own
        where
            own.merchant_id = orders.merchant_id
            and own.sales_channel = orders.sales_channel
            and own.order_id = orders.order_id
            and own.customer_identity is null
            and own.occurred_at between orders.window_from and orders.ordered_at
        union all
        (
            select around.*
            from (
                select own.*
                from {{ ref('int_touchpoints') }} as own
                where
                    own.merchant_id = orders.merchant_id
                    and own.sales_channel = orders.sales_channel
                    and own.order_id = orders.order_id
                    and own.customer_identity is null
                    and own.occurred_at >= orders.looked_from
                    and own.occurred_at < orders.looked_until
                    and own.occurred_at not between orders.window_from and orders.ordered_at
                union all
                (
                    select earlier.*
                    from {{ ref('int_touchpoints') }} as earlier
                    where
                        earlier.merchant_id = orders.merchant_id
                        and earlier.customer_identity = orders.customer_identity
                        and earlier.occurred_at >= orders.looked_from
                        and earlier.occurred_at < orders.window_from
                    order by earlier.occurred_at desc, earlier.priority asc, earlier.touchpoint_id asc
                    limit {{ nearest }}
                )
                union all
                (
                    select later.*
                    from {{ ref('int_touchpoints') }} as later
                    where
                        later.merchant_id = orders.merchant_id
                        and later.customer_identity = orders.customer_identity
                        and later.occurred_at > orders.ordered_at
                        and later.occurred_at < orders.looked_until
                    order by later.occurred_at asc, later.priority asc, later.touchpoint_id asc
                    limit {{ nearest }}
                )
            ) as around
            order by
                greatest(around.occurred_at - orders.ordered_at, orders.ordered_at - around.occurred_at) asc,
                around.priority asc,
                around.touchpoint_id asc
            limit {{ nearest }}
        )
    ) as touches on true

),

final as (

    select
        looked_at.*,
        led_to.touchpoint_id as led_to
    from looked_at
    -- the first visit of the same kind within half an hour of a click in a mail
    left join lateral (
        select visits.touchpoint_id
        from {{ ref('int_touchpoints') }} as visits
        where
            looked_at.names_no_order
            and looked_at.is_in_window
            and visits.merchant_id = looked_at.merchant_id
            and visits.customer_identity = looked_at.customer_identity
            and visits.order_id is not null
            and visits.channel = looked_at.channel
            and visits.occurred_at >= looked_at.occurred_at
            and visits.occurred_at <= least(looked_at.occurred_at + interval '30 minutes', looked_at.ordered_at)
        order by visits.occurred_at asc, visits.priority asc, visits.touchpoint_id asc
        limit 1
    ) as led_to on true

)

select * from final
