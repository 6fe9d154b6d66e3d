-- Every model shares each order out among the touches that the ledger keeps of it. The latest that has a share takes
-- what rounding leaves, so that the credits of an order are exactly 1 and its revenue is exactly given away.
with

kept as (

    select
        *,
        extract(
            epoch from max(occurred_at) over (partition by merchant_id, sales_channel, order_id) - occurred_at
        )::double precision / 3600 as hours_before_last
    from {{ ref('fct_attribution_ledger') }}
    where is_kept

),

-- an order without a touch has one step, which is direct
steps as (

    select
        orders.merchant_id,
        orders.date_day,
        orders.sales_channel,
        orders.order_id,
        coalesce(kept.step, 1) as step,
        coalesce(kept.steps, 1) as steps,
        coalesce(kept.hours_before_last, 0) as hours_before_last,
        kept.touchpoint_id,
        kept.occurred_at,
        coalesce(kept.source, 'direct') as source,
        coalesce(kept.medium, 'none') as medium,
        kept.campaign,
        coalesce(kept.channel, 'direct') as channel,
        coalesce(kept.is_paid, false) as is_paid,
        orders.revenue,
        orders.is_new_customer,
        orders.currency,
        orders.ordered_at
    from {{ ref('fct_orders') }} as orders
    left join kept
        on
            orders.merchant_id = kept.merchant_id
            and orders.sales_channel = kept.sales_channel
            and orders.order_id = kept.order_id
    where orders.is_counted

),

shares as (

    select
        steps.*,
        models.model,
        round(models.weight / sum(models.weight) over of_order, 10) as share,
        steps.step = max(steps.step) over of_order as is_latest
    from steps
    cross join lateral {{ credit_weights('steps') }} as models (model, weight)
    where models.weight > 0
    window of_order as (partition by steps.merchant_id, steps.sales_channel, steps.order_id, models.model)

),

parts as (

    select
        *,
        round(revenue * share, 6) as part
    from shares

),

credited as (

    select
        *,
        case when is_latest then 1 - sum(share) over of_order + share else share end as credit,
        case when is_latest then revenue - sum(part) over of_order + part else part end as credited_revenue
    from parts
    window of_order as (partition by merchant_id, sales_channel, order_id, model)

),

final as (

    select
        merchant_id,
        date_day,
        sales_channel,
        order_id,
        model,
        step,
        touchpoint_id,
        occurred_at,
        source,
        medium,
        campaign,
        channel,
        is_paid,
        credit,
        credited_revenue,
        is_new_customer,
        currency,
        ordered_at,
        1 as metric_version
    from credited
    -- too old for ten decimals
    where credit <> 0

)

select * from final
