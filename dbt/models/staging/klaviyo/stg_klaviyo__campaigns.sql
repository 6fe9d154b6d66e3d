with

source as (

    select * from {{ source('raw', 'klaviyo_campaigns') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.updated_at,
        source.payload ->> 'channel' as channel,
        unpacked.*
    from source
    inner join lateral jsonb_to_record(source.payload -> 'campaign' -> 'attributes') as unpacked (
        name text,
        status text,
        archived boolean,
        created_at timestamptz,
        scheduled_at timestamptz,
        send_time timestamptz
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id as campaign_id,
        case fields.channel when 'mobile_push' then 'push' else fields.channel end as channel,
        {{ without_contacts('fields.name') }} as campaign_name,
        fields.status,
        fields.archived as is_archived,
        fields.created_at,
        fields.scheduled_at,
        fields.send_time as sent_at,
        fields.updated_at
    from fields

)

select * from final
