with

source as (

    select *
    from {{ source('raw', 'ga4_funnel_events') }}
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
        "eventName" text,
        "sessionSource" text,
        "sessionMedium" text,
        "sessionCampaignName" text,
        -- numeric, because the vendor may write a whole number as 7.0
        "eventCount" numeric,
        "totalUsers" numeric
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        split_part(fields.record_id, '/', 1) as report_id,
        fields."eventName" as event_name,
        {{ ga4_label('fields."sessionSource"') }} as source,
        {{ ga4_label('fields."sessionMedium"') }} as medium,
        {{ ga4_label('fields."sessionCampaignName"') }} as campaign,

        fields."eventCount"::bigint as events,
        fields."totalUsers"::bigint as users,

        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
