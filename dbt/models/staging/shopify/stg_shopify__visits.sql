with

source as (

    select * from {{ source('raw', 'shopify_visits') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        source text,
        "sourceType" text,
        "sourceDescription" text,
        "landingPage" text,
        "referrerUrl" text,
        "referralCode" text,
        "utmParameters" jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        split_part(fields.record_id, '/', 1) as order_id,
        split_part(fields.record_id, '/', 2) as visit_id,
        fields.source,
        fields."sourceType" as source_type,
        fields."sourceDescription" as source_description,
        fields."landingPage" as landing_page,
        fields."referrerUrl" as referrer_url,
        fields."referralCode" as referral_code,
        fields."utmParameters" ->> 'source' as utm_source,
        fields."utmParameters" ->> 'medium' as utm_medium,
        fields."utmParameters" ->> 'campaign' as utm_campaign,
        fields."utmParameters" ->> 'content' as utm_content,
        fields."utmParameters" ->> 'term' as utm_term,

        fields.event_at as occurred_at
    from fields

)

select * from final
