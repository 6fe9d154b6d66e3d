with

source as (

    select * from {{ source('raw', 'shopify_orders') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.payload,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        "name" text,
        "cancelledAt" text,
        "test" boolean,
        "displayFinancialStatus" text,
        "currencyCode" text,
        "taxesIncluded" boolean,
        "sourceName" text,
        tags jsonb,
        transactions jsonb,
        "shippingLines" jsonb,
        "totalTaxSet" jsonb,
        "originalTotalDutiesSet" jsonb,
        "totalTipReceivedSet" jsonb,
        "totalPriceSet" jsonb,
        "totalReceivedSet" jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as order_id,
        {{ without_contacts('fields."name"') }} as order_name,
        fields."currencyCode" as currency,
        fields."displayFinancialStatus" as financial_status,

        shipping.price as shipping_price,
        shipping.tax as shipping_tax,
        coalesce((fields."totalTaxSet" #>> '{shopMoney,amount}')::numeric, 0.00) as total_tax,
        coalesce((fields."originalTotalDutiesSet" #>> '{shopMoney,amount}')::numeric, 0.00) as duties,
        coalesce((fields."totalTipReceivedSet" #>> '{shopMoney,amount}')::numeric, 0.00) as tips,
        (fields."totalPriceSet" #>> '{shopMoney,amount}')::numeric as total_price,
        -- greatest() passes over nulls: an order that does not say what was received has no overpayment
        greatest(
            (fields."totalReceivedSet" #>> '{shopMoney,amount}')::numeric
            - (fields."totalPriceSet" #>> '{shopMoney,amount}')::numeric,
            0.00
        ) as overpaid,
        fees.amount as fees,

        {{ shopify_mirrors_channel('fields.tags', 'fields."sourceName"') }} as mirrors_channel,
        {{ shopify_mirrors_order_id('fields.tags') }} as mirrors_order_id,
        coalesce(fields."taxesIncluded", false) as has_taxes_included,
        coalesce(fields."test", false) as is_test,
        fields."cancelledAt" is not null as is_cancelled,

        fields.event_at as ordered_at
    from fields
    inner join lateral (
        select
            coalesce(sum((line.value #>> '{discountedPriceSet,shopMoney,amount}')::numeric), 0.00) as price,
            coalesce(sum(taxes.amount), 0.00) as tax
        from jsonb_array_elements(fields."shippingLines" -> 'nodes') as line (value)
        inner join lateral (
            select sum((tax_line.value #>> '{priceSet,shopMoney,amount}')::numeric) as amount
            from jsonb_array_elements(line.value -> 'taxLines') as tax_line (value)
        ) as taxes on true
        where not coalesce((line.value ->> 'isRemoved')::boolean, false)
    ) as shipping on true
    -- null when no payment names its fees, and when one names them in another currency than the shop's
    inner join lateral (
        select
            case
                when bool_and(fee.value #>> '{amount,currencyCode}' = fields."currencyCode")
                    then
                        sum(
                            (fee.value #>> '{amount,amount}')::numeric
                            + coalesce((fee.value #>> '{taxAmount,amount}')::numeric, 0.00)
                        )
            end as amount
        from jsonb_array_elements(fields.transactions) as payment (value)
        inner join lateral jsonb_array_elements(payment.value -> 'fees') as fee (value) on true
        where payment.value ->> 'status' = 'SUCCESS'
    ) as fees on true

)

select * from final
