-- What went back, to the buyer and, of its own discounts, to the platform: revenue had both. An edited return counts as
-- what it was edited to, goods sent anew are no refund, and an order that was cancelled as a whole was never a sale.
with

returns as (

    select
        merchant_id,
        order_id,
        return_id as refund_id,
        quantity,
        subtotal + shipping + platform_discount + shipping_platform_discount as refunded_total,
        changed_at
    from {{ ref('stg_tiktok_shop__returns') }}
    where
        return_status = 'RETURN_OR_REFUND_REQUEST_COMPLETE'
        and return_type is distinct from 'REPLACEMENT'
        and next_return_id is null

),

cancellations as (

    select
        cancelled.merchant_id,
        cancelled.order_id,
        cancelled.cancel_id as refund_id,
        jsonb_array_length(cancelled.line_ids) as quantity,
        cancelled.subtotal + cancelled.shipping + units.platform_discount as refunded_total,
        cancelled.changed_at
    from {{ ref('stg_tiktok_shop__cancellations') }} as cancelled
    inner join lateral (
        select
            coalesce(sum(lines.platform_discount) filter (where cancelled.line_ids @> to_jsonb(lines.line_id)), 0.00)
                as platform_discount,
            coalesce(bool_or(lines.is_cancelled), false) as are_all_cancelled
        from {{ ref('stg_tiktok_shop__order_lines') }} as lines
        where lines.merchant_id = cancelled.merchant_id and lines.order_id = cancelled.order_id
    ) as units on true
    where cancelled.cancel_status = 'CANCELLATION_REQUEST_COMPLETE' and not units.are_all_cancelled

)

select * from returns
union all
select * from cancellations
