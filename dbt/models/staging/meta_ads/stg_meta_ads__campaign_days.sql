with

source as (

    select *
    from {{ source('raw', 'meta_ads_campaign_days') }}
    where record_id like '%/%/%'

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.api_version,
        account.*,
        unpacked.*
    from source
    inner join lateral {{ ad_account('source.payload') }} on true
    inner join lateral jsonb_to_record(source.payload -> 'row') as unpacked (
        campaign_id text,
        campaign_name text,
        objective text,
        spend numeric,
        impressions bigint,
        clicks bigint,
        actions jsonb,
        action_values jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        {{ ad_account_columns('fields') }},
        fields.campaign_id,
        {{ without_contacts('fields.campaign_name') }} as campaign_name,
        fields.objective,

        fields.spend,
        fields.impressions,
        fields.clicks,
        {{ meta_ads_action('fields.actions', 'omni_purchase') }} as omni_purchases,
        {{ meta_ads_action('fields.actions', 'purchase') }} as purchases,
        {{ meta_ads_action('fields.action_values', 'omni_purchase') }} as omni_purchase_value,
        {{ meta_ads_action('fields.action_values', 'purchase') }} as purchase_value,

        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
