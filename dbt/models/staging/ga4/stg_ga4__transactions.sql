-- The order's id is written exactly as the stream declares and raw indexes it, so that a look-up uses the index.
with

source as (

    select *
    from {{ source('raw', 'ga4_transactions') }}
    where record_id like '%/%'

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.api_version,
        left(source.payload #>> '{row,transactionId}', 500) as transaction_id,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload -> 'row') as unpacked (
        "sessionSource" text,
        "sessionMedium" text,
        "sessionCampaignName" text,
        -- numeric, because the vendor may write a whole number as 7.0
        "ecommercePurchases" numeric,
        "purchaseRevenue" numeric
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        split_part(fields.record_id, '/', 1) as report_id,
        fields.transaction_id,
        {{ ga4_label('fields."sessionSource"') }} as source,
        {{ ga4_label('fields."sessionMedium"') }} as medium,
        {{ ga4_label('fields."sessionCampaignName"') }} as campaign,

        fields."ecommercePurchases"::bigint as orders,
        fields."purchaseRevenue" as claimed_value,

        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
