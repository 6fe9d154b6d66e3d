-- The properties of an event are whatever its sender wrote: only numbers are taken for numbers.
with

source as (

    select * from {{ source('raw', 'klaviyo_events') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.payload ->> 'metric' as metric_name,
        unpacked.relationships,
        unpacked.attributes -> 'event_properties' as properties
    from source
    inner join lateral jsonb_to_record(source.payload -> 'event') as unpacked (
        attributes jsonb,
        relationships jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as event_id,
        fields.metric_name,
        fields.relationships #>> '{metric,data,id}' as metric_id,
        fields.relationships #>> '{profile,data,id}' as profile_id,
        fields.properties ->> '$message' as message_id,
        nullif(fields.properties ->> '$flow', '') as flow_id,
        {{ without_contacts("fields.properties ->> 'Campaign Name'") }} as campaign_name,
        {{ without_contacts("fields.properties ->> 'URL'") }} as url,
        case
            when jsonb_typeof(fields.properties -> '$value') = 'number' then (fields.properties ->> '$value')::numeric
        end as event_value,
        fields.event_at as happened_at
    from fields

)

select * from final
