-- Who a person is ends here: what is named further on is a key, the one that a guest's order with that address has.
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
        left(nullif(lower(btrim(unpacked.email)), ''), 500) as email
    from source
    inner join lateral jsonb_to_record(source.payload -> 'attributes') as unpacked (
        email text
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as profile_id,
        case
            when
                split_part(fields.email, '@', -1) not in (
                    {%- for domain in var('dummy_email_domains') %}
                    '{{ domain }}'{{ ',' if not loop.last }}
                    {%- endfor %}
                )
                then ops.customer_key(fields.merchant_id, 'email:' || fields.email)
        end as customer_key,
        fields.event_at as created_at,
        fields.updated_at
    from fields

)

select * from final
