with

skus as (

    select * from {{ ref('stg_tiktok_shop__skus') }}

),

final as (

    select
        skus.merchant_id,
        'tiktok_shop' as sales_channel,
        skus.product_id,
        skus.sku_id as variant_id,
        skus.product_name,
        null as variant_name,
        skus.seller_sku as sku,
        null as product_type,
        null as vendor,
        skus.status,
        skus.price,
        skus.currency,
        skus.created_at
    from skus

)

select * from final
