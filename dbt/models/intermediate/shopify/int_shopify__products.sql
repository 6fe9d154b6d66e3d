-- On the day of the product, with which a change of any variant is noticed.
with

products as (

    select * from {{ ref('stg_shopify__products') }}

),

final as (

    select
        products.merchant_id,
        'shopify' as sales_channel,
        products.product_id,
        variants.variant_id,
        products.product_name,
        nullif(variants.variant_name, 'Default Title') as variant_name,
        variants.sku,
        nullif(products.product_type, '') as product_type,
        nullif(products.vendor, '') as vendor,
        products.status,
        variants.price,
        null as currency,
        products.created_at
    from products
    -- the ids of a product's variants begin with the product's id: a range of raw's primary key
    inner join lateral (
        select candidates.*
        from {{ ref('stg_shopify__variants') }} as candidates
        where
            candidates.merchant_id = products.merchant_id
            and candidates.record_id > products.product_id || '/'
            and candidates.record_id < products.product_id || '0'
        offset 0
    ) as variants on true

)

select * from final
