-- Marts hold none of this: what is named there is a key, the one that a guest's order with that address has.
with

source as (

    select * from {{ source('raw', 'klaviyo_profiles') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.updated_at,
        nullif(left(unpacked.external_id, 500), '') as external_id,
        left(nullif(lower(btrim(unpacked.email)), ''), 500) as email
    from source
    inner join lateral jsonb_to_record(source.payload -> 'attributes') as unpacked (
        external_id text,
        email text
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as profile_id,
        fields.external_id,
        case
            when
                split_part(fields.email, '@', -1) not in (
                    {%- for domain in var('dummy_email_domains') %}
                    '{{ domain }}'{{ ',' if not loop.last }}
                    {%- endfor %}
                )
                then fields.email
        end as email,
        fields.event_at as created_at,
        fields.updated_at
    from fields

)

select * from final
