{{ config(materialized='table') }}

-- Every order of every buyer who ordered in scope, looked up once per buyer through raw's identity index; a full build
-- reads all once.
with

{% if scope_days() -%}
buyers as (

    select distinct
        scoped.merchant_id,
        scoped.buyer_id
    from {{ in_scope(ref('stg_tiktok_shop__order_identities'), 'ordered_at') }} as scoped
    where scoped.buyer_id <> ''

),

identities as (

    select placed.*
    from buyers
    inner join lateral (
        select candidates.*
        from {{ ref('stg_tiktok_shop__order_identities') }} as candidates
        where candidates.merchant_id = buyers.merchant_id and candidates.buyer_id = buyers.buyer_id
        offset 0
    ) as placed on true

),
{%- else -%}
identities as (

    select * from {{ ref('stg_tiktok_shop__order_identities') }}
    where buyer_id <> ''

),
{%- endif %}

final as (

    select
        merchant_id,
        'tiktok_shop' as sales_channel,
        'tiktok_shop:' || buyer_id as customer_identity,
        order_id,
        ordered_at,
        is_sample as is_test
    from identities

)

select * from final
