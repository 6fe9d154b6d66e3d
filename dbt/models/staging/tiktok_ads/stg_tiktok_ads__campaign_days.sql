with

source as (

    select *
    from {{ source('raw', 'tiktok_ads_campaign_days') }}
    where record_id like '%/%/%'

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.api_version,
        account.*,
        dimensions.*,
        metrics.*
    from source
    inner join lateral {{ ad_account('source.payload') }} on true
    inner join lateral jsonb_to_record(source.payload -> 'row') as unpacked (
        dimensions jsonb,
        metrics jsonb
    ) on true
    inner join lateral jsonb_to_record(unpacked.dimensions) as dimensions (
        campaign_id text
    ) on true
    inner join lateral jsonb_to_record(unpacked.metrics) as metrics (
        campaign_name text,
        spend text,
        impressions text,
        clicks text,
        complete_payment text,
        total_complete_payment_rate text
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        {{ ad_account_columns('fields') }},
        fields.campaign_id,
        {{ without_contacts("nullif(fields.campaign_name, '-')") }} as campaign_name,

        {{ tiktok_ads_figure('fields.spend') }} as spend,
        {{ tiktok_ads_figure('fields.impressions') }}::bigint as impressions,
        {{ tiktok_ads_figure('fields.clicks') }}::bigint as clicks,
        {{ tiktok_ads_figure('fields.complete_payment') }} as purchases,
        -- the vendor's name of their value
        {{ tiktok_ads_figure('fields.total_complete_payment_rate') }} as purchase_value,

        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
