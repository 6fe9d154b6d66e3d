with

source as (

    select * from {{ source('raw', 'klaviyo_days') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.api_version,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        conversion_metric_id text,
        currency text,
        time_zone text,
        -- numeric, because the vendor writes whole numbers as 7.0
        "count" numeric,
        sum_value numeric,
        "unique" numeric
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        fields.conversion_metric_id,
        fields.currency,
        fields.time_zone,

        fields."count"::bigint as conversions,
        fields."unique"::bigint as unique_conversions,
        fields.sum_value as conversion_value,

        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
