-- The lines of a copy count as long as the copy does.
with

lines as (

    {{ union_channels('order_lines') }}

),

final as (

    select
        lines.merchant_id,
        lines.sales_channel,
        lines.order_id,
        lines.line_id,
        lines.product_id,
        lines.variant_id,
        lines.sku,
        lines.product_name,
        lines.currency,
        lines.quantity,
        lines.unit_price,
        lines.gross_sales,
        lines.discounts,
        lines.tax,
        lines.is_counted and originals.order_id is null as is_counted,
        lines.ordered_at
    from lines
    left join lateral (
        select candidates.order_id
        from {{ ref('int_channel_orders') }} as candidates
        where
            lines.mirrors_order_id is not null
            and candidates.merchant_id = lines.merchant_id
            and candidates.sales_channel = lines.mirrors_channel
            and candidates.order_id = lines.mirrors_order_id
        offset 0
    ) as originals on true

)

select * from final
