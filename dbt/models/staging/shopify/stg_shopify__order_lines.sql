with

source as (

    select * from {{ source('raw', 'shopify_orders') }}

),

lines as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        parent."currencyCode",
        parent."displayFinancialStatus",
        parent."cancelledAt",
        parent."test",
        parent."taxesIncluded",
        parent."sourceName",
        parent.tags,
        parent.refunds,
        line.*
    from source
    inner join lateral jsonb_to_record(source.payload) as parent (
        "currencyCode" text,
        "displayFinancialStatus" text,
        "cancelledAt" text,
        "test" boolean,
        "taxesIncluded" boolean,
        "sourceName" text,
        tags jsonb,
        "lineItems" jsonb,
        refunds jsonb
    ) on true
    inner join lateral jsonb_to_recordset(parent."lineItems" -> 'nodes') as line (
        id text,
        sku text,
        "name" text,
        quantity integer,
        "currentQuantity" integer,
        "originalUnitPriceSet" jsonb,
        "discountAllocations" jsonb,
        "taxLines" jsonb,
        product jsonb,
        variant jsonb
    ) on true

),

final as (

    select
        lines.merchant_id,
        lines.record_id as order_id,
        split_part(lines.id, '/', -1) as line_id,
        split_part(lines.product ->> 'id', '/', -1) as product_id,
        split_part(lines.variant ->> 'id', '/', -1) as variant_id,
        lines.sku,
        {{ without_contacts('lines."name"') }} as product_name,
        lines."currencyCode" as currency,
        lines."displayFinancialStatus" as financial_status,

        lines.quantity,
        lines."currentQuantity" as current_quantity,
        refunded.quantity as refunded_quantity,
        coalesce((lines."originalUnitPriceSet" #>> '{shopMoney,amount}')::numeric, 0.00) as unit_price,
        discounts.amount as discount_amount,
        taxes.amount as tax_amount,
        taxes.rate as tax_rate,

        {{ shopify_mirrors_channel('lines.tags', 'lines."sourceName"') }} as mirrors_channel,
        {{ shopify_mirrors_order_id('lines.tags') }} as mirrors_order_id,

        coalesce(lines."taxesIncluded", false) as has_taxes_included,
        coalesce(lines."test", false) as is_test,
        lines."cancelledAt" is not null as is_cancelled,

        lines.event_at as ordered_at
    from lines
    inner join lateral (
        select coalesce(sum((allocation.value #>> '{allocatedAmountSet,shopMoney,amount}')::numeric), 0.00) as amount
        from jsonb_array_elements(lines."discountAllocations") as allocation (value)
    ) as discounts on true
    inner join lateral (
        select
            coalesce(sum((tax_line.value #>> '{priceSet,shopMoney,amount}')::numeric), 0.00) as amount,
            coalesce(sum((tax_line.value ->> 'rate')::numeric), 0.00) as rate
        from jsonb_array_elements(lines."taxLines") as tax_line (value)
    ) as taxes on true
    inner join lateral (
        select coalesce(sum((item.value ->> 'quantity')::integer), 0)::integer as quantity
        from jsonb_array_elements(lines.refunds) as refund (value)
        inner join lateral jsonb_array_elements(refund.value #> '{refundLineItems,nodes}') as item (value) on true
        where item.value #>> '{lineItem,id}' = lines.id
    ) as refunded on true

)

select * from final
