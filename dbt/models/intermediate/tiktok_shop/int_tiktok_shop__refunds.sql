-- Money goes back on the day of the statement that settles it, and until there is one on the day of the last change.
-- Each half is driven by the table whose times it shows, so that a day is read by index.
with

settlements as (

    select * from {{ ref('stg_tiktok_shop__statement_transactions') }}
    where refunded_subtotal <> 0

),

settled as (

    select
        refunds.*,
        settlements.settled_at as refunded_at,
        true as is_final
    from settlements
    inner join lateral (
        select candidates.*
        from {{ ref('int_tiktok_shop__refund_amounts') }} as candidates
        where
            candidates.merchant_id = settlements.merchant_id
            and candidates.order_id = settlements.order_id
            and candidates.changed_at <= settlements.settled_at
        offset 0
    ) as refunds on true
    where not exists (
        select 1
        from {{ ref('stg_tiktok_shop__statement_transactions') }} as earlier
        where
            earlier.merchant_id = settlements.merchant_id
            and earlier.order_id = settlements.order_id
            and earlier.refunded_subtotal <> 0
            and earlier.settled_at >= refunds.changed_at
            and (earlier.settled_at, earlier.record_id) < (settlements.settled_at, settlements.record_id)
        offset 0
    )

),

unsettled as (

    select
        refunds.*,
        refunds.changed_at as refunded_at,
        false as is_final
    from {{ ref('int_tiktok_shop__refund_amounts') }} as refunds
    where not exists (
        select 1
        from {{ ref('stg_tiktok_shop__statement_transactions') }} as settling
        where
            settling.merchant_id = refunds.merchant_id
            and settling.order_id = refunds.order_id
            and settling.refunded_subtotal <> 0
            and settling.settled_at >= refunds.changed_at
        offset 0
    )

),

refunds as (

    select * from settled
    union all
    select * from unsettled

),

final as (

    select
        refunds.merchant_id,
        'tiktok_shop' as sales_channel,
        refunds.order_id,
        refunds.refund_id,
        refunds.quantity,
        true as is_money_returned,
        refunds.refunded_total,
        0.00 as tax_refunded,
        0.00 as duties_refunded,
        0.00 as overpayment_returned,
        refunds.refunded_total as refunds,
        refunds.is_final,
        refunds.refunded_at
    from refunds

)

select * from final
