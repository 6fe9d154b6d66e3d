with

source as (

    select * from {{ source('raw', 'tiktok_shop_statements') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        currency text,
        payment_id text,
        payment_status text,
        revenue_amount text,
        fee_amount text,
        adjustment_amount text,
        settlement_amount text
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as statement_id,
        nullif(fields.payment_id, '') as payment_id,
        fields.payment_status,
        fields.currency,

        nullif(fields.revenue_amount, '')::numeric as revenue,
        nullif(fields.fee_amount, '')::numeric as fees,
        nullif(fields.adjustment_amount, '')::numeric as adjustments,
        nullif(fields.settlement_amount, '')::numeric as settlement,

        fields.event_at as settled_at
    from fields

)

select * from final
