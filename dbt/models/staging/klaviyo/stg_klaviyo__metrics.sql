with

source as (

    select * from {{ source('raw', 'klaviyo_metrics') }}

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
        integration jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as metric_id,
        fields.name as metric_name,
        fields.integration ->> 'name' as integration_name,
        fields.event_at as created_at,
        fields.updated_at
    from fields

)

select * from final
