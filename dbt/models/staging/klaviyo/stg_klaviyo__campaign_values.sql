with

source as (

    select * from {{ source('raw', 'klaviyo_campaign_values') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.api_version,
        unpacked.currency,
        unpacked.time_zone,
        unpacked.conversion_metric_id,
        unpacked.campaign ->> 'name' as campaign_name,
        groupings.*,
        statistics.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        campaign jsonb,
        currency text,
        time_zone text,
        conversion_metric_id text,
        "row" jsonb
    ) on true
    inner join lateral jsonb_to_record(unpacked."row" -> 'groupings') as groupings (
        campaign_id text,
        campaign_message_id text,
        campaign_message_name text,
        send_channel text
    ) on true
    inner join lateral jsonb_to_record(unpacked."row" -> 'statistics') as statistics (
        {{ klaviyo_statistics() }}
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        {{ klaviyo_channel('fields.send_channel') }} as channel,
        fields.campaign_id,
        {{ without_contacts('fields.campaign_name') }} as campaign_name,
        fields.campaign_message_id as message_id,
        {{ without_contacts('fields.campaign_message_name') }} as message_name,

        {{ klaviyo_figures('fields') }},
        fields.conversion_metric_id,
        fields.currency,
        fields.time_zone,

        fields.event_at as sent_at,
        fields.api_version
    from fields

)

select * from final
