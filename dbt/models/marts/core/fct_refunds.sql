-- On the refund's own day; the order it belongs to may be of any day and is looked up by its key.
with

refunds as (

    select scoped.* from {{ in_scope(ref('int_refunds'), 'refunded_at') }} as scoped

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

final as (

    select
        refunds.merchant_id,
        (refunds.refunded_at at time zone merchants.time_zone)::date as date_day,
        refunds.sales_channel,
        refunds.refund_id,
        refunds.order_id,
        (orders.ordered_at at time zone merchants.time_zone)::date as order_date_day,
        orders.currency,
        refunds.quantity::bigint as quantity,
        refunds.refunds,
        refunds.tax_refunded,
        refunds.duties_refunded,
        refunds.overpayment_returned,
        refunds.refunded_total,
        refunds.is_money_returned,
        refunds.is_final,
        coalesce(orders.is_counted, false) as is_counted,
        refunds.refunded_at,
        1 as metric_version
    from refunds
    inner join merchants on refunds.merchant_id = merchants.merchant_id
    left join lateral (
        select candidates.*
        from {{ ref('int_orders') }} as candidates
        where
            candidates.merchant_id = refunds.merchant_id
            and candidates.sales_channel = refunds.sales_channel
            and candidates.order_id = refunds.order_id
        offset 0
    ) as orders on true

)

select * from final
