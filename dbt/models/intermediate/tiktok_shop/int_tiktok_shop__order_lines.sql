-- Only what the seller gives away lowers the sale: the platform pays its own discounts to the seller.
with

lines as (

    select * from {{ ref('stg_tiktok_shop__order_lines') }}

),

final as (

    select
        lines.merchant_id,
        'tiktok_shop' as sales_channel,
        lines.order_id,
        lines.line_id,
        lines.product_id,
        lines.variant_id,
        lines.sku,
        lines.product_name,
        lines.currency,
        1 as quantity,
        lines.unit_price,
        case when lines.is_gift then 0.00 else lines.unit_price end as gross_sales,
        case when lines.is_gift then 0.00 else lines.seller_discount end as discounts,
        0.00 as tax,
        null as mirrors_channel,
        null as mirrors_order_id,
        {{ tiktok_shop_is_counted('lines') }} as is_counted,
        lines.ordered_at
    from lines

)

select * from final
