-- The two identities are written exactly as the stream declares and raw indexes them, so that a look-up uses the index.
-- Copies of another channel's orders are not here: its buyers are told by it, and here they are strangers.
with

source as (

    select * from {{ source('raw', 'shopify_orders') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id as order_id,
        left(source.payload -> 'customer' ->> 'legacyResourceId', 500) as customer_id,
        left(nullif(lower(btrim(source.payload ->> 'email')), ''), 500) as email,
        source.event_at,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        "test" boolean,
        "sourceName" text,
        tags jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.order_id,
        fields.customer_id,
        fields.email,
        coalesce(
            split_part(fields.email, '@', -1) in (
                {%- for domain in var('dummy_email_domains') %}
                '{{ domain }}'{{ ',' if not loop.last }}
                {%- endfor %}
            ),
            false
        ) as has_dummy_email,
        coalesce(fields."test", false) as is_test,
        fields.event_at as ordered_at
    from fields
    where {{ shopify_mirrors_channel('fields.tags', 'fields."sourceName"') }} is null

)

select * from final
