with

lines as (

    select scoped.* from {{ in_scope(ref('int_order_lines'), 'ordered_at') }} as scoped

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

final as (

    select
        lines.merchant_id,
        (lines.ordered_at at time zone merchants.time_zone)::date as date_day,
        lines.sales_channel,
        lines.order_id,
        lines.line_id,
        lines.product_id,
        lines.variant_id,
        lines.sku,
        lines.product_name,
        lines.currency,
        lines.quantity::bigint as quantity,
        lines.unit_price,
        lines.gross_sales,
        lines.discounts,
        lines.tax as tax_charged,
        lines.is_counted,
        lines.ordered_at,
        1 as metric_version
    from lines
    inner join merchants on lines.merchant_id = merchants.merchant_id

)

select * from final
