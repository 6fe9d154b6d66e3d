-- What an order told of stands on the order's day, whether it counts or not; a click that names no order on its own.
with

touchpoints as (

    select * from {{ ref('int_touchpoints') }}

),

of_orders as (

    select
        touchpoints.*,
        orders.date_day
    from touchpoints
    inner join {{ ref('fct_orders') }} as orders
        on
            touchpoints.merchant_id = orders.merchant_id
            and touchpoints.sales_channel = orders.sales_channel
            and touchpoints.order_id = orders.order_id

),

of_no_order as (

    select
        touchpoints.*,
        (touchpoints.occurred_at at time zone merchants.time_zone)::date as date_day
    from touchpoints
    inner join {{ source('ops', 'merchants') }} as merchants on touchpoints.merchant_id = merchants.merchant_id
    where touchpoints.order_id is null

),

dated as (

    select * from of_orders
    union all
    select of_no_order.*
    from of_no_order
    {% if scope_days() -%}
    inner join {{ scope_days() }} as days
        on
            of_no_order.merchant_id = days.merchant_id
            and of_no_order.date_day = days.date_day
    {%- endif %}

),

final as (

    select
        merchant_id,
        date_day,
        touchpoint_id,
        touch_channel,
        sales_channel,
        order_id,
        occurred_at,
        utm_source,
        utm_medium,
        utm_campaign,
        click_id,
        referrer_domain,
        source,
        medium,
        campaign,
        channel,
        is_paid,
        ad_platform,
        in_taxonomy,
        is_direct,
        is_malformed,
        resolved_by,
        1 as metric_version
    from dated

)

select * from final
