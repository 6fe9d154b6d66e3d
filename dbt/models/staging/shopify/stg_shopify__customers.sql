with

source as (

    select * from {{ source('raw', 'shopify_customers') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.updated_at,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        "verifiedEmail" boolean,
        "defaultEmailAddress" jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as customer_id,
        left(nullif(lower(btrim(fields."defaultEmailAddress" ->> 'emailAddress')), ''), 500) as email,

        coalesce(fields."verifiedEmail", false) as is_email_verified,

        fields.event_at as created_at,
        fields.updated_at
    from fields

)

select * from final
