with

source as (

    select * from {{ source('raw', 'klaviyo_flows') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.updated_at,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload -> 'attributes') as unpacked (
        name text,
        status text,
        archived boolean,
        trigger_type text
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as flow_id,
        {{ without_contacts('fields.name') }} as flow_name,
        fields.status,
        fields.trigger_type,
        fields.archived as is_archived,
        fields.event_at as created_at,
        fields.updated_at
    from fields

)

select * from final
