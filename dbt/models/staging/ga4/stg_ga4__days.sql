with

source as (

    select *
    from {{ source('raw', 'ga4_days') }}
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
        -- numeric, because the vendor may write a whole number as 7.0
        sessions numeric,
        "totalUsers" numeric,
        "activeUsers" numeric,
        "newUsers" numeric
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        split_part(fields.record_id, '/', 1) as report_id,

        fields.sessions::bigint as sessions,
        fields."totalUsers"::bigint as users,
        fields."activeUsers"::bigint as active_users,
        fields."newUsers"::bigint as new_users,

        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
