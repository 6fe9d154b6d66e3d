with

source as (

    select *
    from {{ source('raw', 'ga4_sessions') }}
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
        "landingPage" text,
        -- numeric, because the vendor may write a whole number as 7.0
        sessions numeric,
        "engagedSessions" numeric,
        "totalUsers" numeric,
        "newUsers" numeric,
        "keyEvents" numeric,
        "ecommercePurchases" numeric,
        "purchaseRevenue" numeric
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
        {{ ga4_label('fields."landingPage"') }} as landing_page,

        fields.sessions::bigint as sessions,
        fields."engagedSessions"::bigint as engaged_sessions,
        fields."totalUsers"::bigint as users,
        fields."newUsers"::bigint as new_users,
        fields."keyEvents" as key_events,
        fields."ecommercePurchases"::bigint as orders,
        fields."purchaseRevenue" as claimed_value,

        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
