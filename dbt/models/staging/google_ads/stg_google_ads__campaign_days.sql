with

source as (

    select *
    from {{ source('raw', 'google_ads_campaign_days') }}
    where record_id like '%/%/%'

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.api_version,
        account.*,
        campaign.id as campaign_id,
        campaign.name as campaign_name,
        campaign.status,
        campaign."advertisingChannelType",
        metrics.*
    from source
    inner join lateral {{ ad_account('source.payload') }} on true
    inner join lateral jsonb_to_record(source.payload -> 'row') as unpacked (
        campaign jsonb,
        metrics jsonb
    ) on true
    inner join lateral jsonb_to_record(unpacked.campaign) as campaign (
        id text,
        name text,
        status text,
        "advertisingChannelType" text
    ) on true
    left join lateral jsonb_to_record(unpacked.metrics) as metrics (
        "costMicros" bigint,
        impressions bigint,
        clicks bigint,
        conversions numeric,
        "conversionsValue" numeric
    ) on true

),

-- A row that lacks a figure is a dead letter before; what protobuf's JSON leaves out would be 0.
final as (

    select
        fields.merchant_id,
        fields.record_id,
        {{ ad_account_columns('fields') }},
        fields.campaign_id,
        {{ without_contacts('fields.campaign_name') }} as campaign_name,
        fields."advertisingChannelType" as advertising_channel_type,
        fields.status,

        coalesce(fields."costMicros", 0) as cost_micros,
        coalesce(fields.impressions, 0) as impressions,
        coalesce(fields.clicks, 0) as clicks,
        coalesce(fields.conversions, 0) as conversions,
        coalesce(fields."conversionsValue", 0) as conversions_value,

        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
