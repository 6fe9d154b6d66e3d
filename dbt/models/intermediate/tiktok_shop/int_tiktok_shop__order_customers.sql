{{ config(materialized='table') }}

-- Who placed each order, and that buyer's first order ever, looked up once per buyer through raw's identity index.
with

orders as (

    select scoped.* from {{ in_scope(ref('stg_tiktok_shop__order_identities'), 'ordered_at') }} as scoped
    where scoped.buyer_id <> ''

),

first_orders as (

    select
        keys.merchant_id,
        keys.buyer_id,
        placed.order_id
    from (
        select distinct
            merchant_id,
            buyer_id
        from orders
    ) as keys
    inner join lateral (
        select candidates.order_id
        from {{ ref('stg_tiktok_shop__order_identities') }} as candidates
        where
            candidates.merchant_id = keys.merchant_id
            and candidates.buyer_id = keys.buyer_id
            and not candidates.is_sample
        order by candidates.ordered_at, length(candidates.order_id), candidates.order_id
        limit 1
    ) as placed on true

),

final as (

    select
        orders.merchant_id,
        'tiktok_shop' as sales_channel,
        orders.order_id,
        'tiktok_shop:' || orders.buyer_id as customer_identity,
        first_orders.order_id as first_order_id
    from orders
    left join first_orders
        on orders.merchant_id = first_orders.merchant_id and orders.buyer_id = first_orders.buyer_id

)

select * from final
