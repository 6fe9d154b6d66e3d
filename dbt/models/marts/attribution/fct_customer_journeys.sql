-- All that is known of how somebody came to an order: the clicks that count, and what the rules pass over though it was
-- in time: direct visits, and channels that were left out by choice.
with

orders as (

    select * from {{ ref('fct_attributed_orders') }}

),

touches as (

    select
        *,
        row_number() over in_time as place,
        lag(channel) over in_time as channel_before
    from {{ ref('fct_attribution_ledger') }}
    where is_kept or rule in ('direct', 'excluded_channel')
    window in_time as (
        partition by merchant_id, sales_channel, order_id
        order by occurred_at asc, priority desc, touchpoint_id collate "C" desc
    )

),

journeys as (

    select
        merchant_id,
        sales_channel,
        order_id,
        count(*) as touches,
        count(*) filter (where is_kept) as clicks,
        count(*) filter (where rule = 'direct') as direct_visits,
        min(occurred_at) as first_touch_at,
        max(occurred_at) as last_touch_at,
        max(channel) filter (where step = 1) as first_channel,
        max(source) filter (where step = 1) as first_source,
        max(medium) filter (where step = 1) as first_medium,
        max(channel) filter (where step = steps) as last_channel,
        max(source) filter (where step = steps) as last_source,
        max(medium) filter (where step = steps) as last_medium,
        string_agg(channel, ' > ' order by place) filter (where channel is distinct from channel_before) as path
    from touches
    group by merchant_id, sales_channel, order_id

),

final as (

    select
        orders.merchant_id,
        orders.date_day,
        orders.sales_channel,
        orders.order_id,
        orders.customer_key,
        orders.is_new_customer,
        orders.rule,
        coalesce(journeys.touches, 0) as touches,
        coalesce(journeys.clicks, 0) as clicks,
        coalesce(journeys.direct_visits, 0) as direct_visits,
        journeys.first_touch_at,
        journeys.last_touch_at,
        round(extract(epoch from orders.ordered_at - journeys.first_touch_at) / 3600, 2) as hours_to_order,
        coalesce(journeys.first_channel, 'direct') as first_channel,
        coalesce(journeys.first_source, 'direct') as first_source,
        coalesce(journeys.first_medium, 'none') as first_medium,
        coalesce(journeys.last_channel, 'direct') as last_channel,
        coalesce(journeys.last_source, 'direct') as last_source,
        coalesce(journeys.last_medium, 'none') as last_medium,
        coalesce(journeys.path, 'direct') as path,
        orders.attributed_revenue as revenue,
        orders.currency,
        orders.ordered_at,
        1 as metric_version
    from orders
    left join journeys
        on
            orders.merchant_id = journeys.merchant_id
            and orders.sales_channel = journeys.sales_channel
            and orders.order_id = journeys.order_id

)

select * from final
