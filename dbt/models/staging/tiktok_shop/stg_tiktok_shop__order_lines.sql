-- One unit each: the vendor has no quantity.
with

source as (

    select * from {{ source('raw', 'tiktok_shop_orders') }}

),

lines as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        parent.status,
        parent.paid_time,
        parent.is_sample_order,
        parent.is_replacement_order,
        parent.is_exchange_order,
        parent.payment ->> 'currency' as currency,
        line.*
    from source
    inner join lateral jsonb_to_record(source.payload) as parent (
        status text,
        paid_time numeric,
        is_sample_order boolean,
        is_replacement_order boolean,
        is_exchange_order boolean,
        payment jsonb,
        line_items jsonb
    ) on true
    inner join lateral jsonb_to_recordset(parent.line_items) as line (
        id text,
        product_id text,
        sku_id text,
        seller_sku text,
        product_name text,
        sku_name text,
        original_price text,
        seller_discount text,
        platform_discount text,
        is_gift boolean
    ) on true

),

final as (

    select
        lines.merchant_id,
        lines.record_id as order_id,
        lines.id as line_id,
        nullif(lines.product_id, '') as product_id,
        nullif(lines.sku_id, '') as variant_id,
        nullif(lines.seller_sku, '') as sku,
        {{ without_contacts("concat_ws(' - ', nullif(lines.product_name, ''), nullif(lines.sku_name, ''))") }}
            as product_name,
        lines.currency,

        {{ amount('lines.original_price') }} as unit_price,
        {{ amount('lines.seller_discount') }} as seller_discount,
        {{ amount('lines.platform_discount') }} as platform_discount,

        coalesce(lines.is_gift, false) as is_gift,
        coalesce(lines.paid_time, 0) > 0 as is_paid,
        coalesce(lines.status = 'CANCELLED', false) as is_cancelled,
        coalesce(lines.is_sample_order, false) as is_sample,
        coalesce(lines.is_replacement_order, false) as is_replacement,
        coalesce(lines.is_exchange_order, false) as is_exchange,

        lines.event_at as ordered_at
    from lines

)

select * from final
