with

source as (

    select *
    from {{ source('raw', 'tiktok_ads_gmv_max_days') }}
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
        cost text,
        orders text,
        gross_revenue text
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        {{ ad_account_columns('fields') }},
        fields.campaign_id,
        {{ without_contacts("nullif(fields.campaign_name, '-')") }} as campaign_name,

        {{ tiktok_ads_figure('fields.cost') }} as spend,
        {{ tiktok_ads_figure('fields.orders') }} as orders,
        {{ tiktok_ads_figure('fields.gross_revenue') }} as gross_revenue,

        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
