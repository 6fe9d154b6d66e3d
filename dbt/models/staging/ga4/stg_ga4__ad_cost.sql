with

source as (

    select *
    from {{ source('raw', 'ga4_ad_cost') }}
    where record_id like '%/%'

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.api_version,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload -> 'row') as unpacked (
        "sessionSource" text,
        "sessionMedium" text,
        "sessionCampaignName" text,
        -- numeric, because the vendor may write a whole number as 7.0
        "advertiserAdImpressions" numeric,
        "advertiserAdClicks" numeric,
        "advertiserAdCost" numeric
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        split_part(fields.record_id, '/', 1) as report_id,
        {{ ga4_label('fields."sessionSource"') }} as source,
        {{ ga4_label('fields."sessionMedium"') }} as medium,
        {{ ga4_label('fields."sessionCampaignName"') }} as campaign,

        fields."advertiserAdImpressions"::bigint as impressions,
        fields."advertiserAdClicks"::bigint as clicks,
        fields."advertiserAdCost" as cost,

        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
