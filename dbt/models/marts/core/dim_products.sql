with

products as (

    select scoped.* from {{ in_scope(ref('int_products'), 'created_at') }} as scoped

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

final as (

    select
        products.merchant_id,
        (products.created_at at time zone merchants.time_zone)::date as date_day,
        products.sales_channel,
        products.product_id,
        products.variant_id,
        products.product_name,
        products.variant_name,
        {{ without_contacts('products.sku') }} as sku,
        products.product_type,
        products.vendor,
        products.status,
        products.price,
        coalesce(products.currency, merchants.currency) as currency,
        products.created_at,
        1 as metric_version
    from products
    inner join merchants on products.merchant_id = merchants.merchant_id

)

select * from final
