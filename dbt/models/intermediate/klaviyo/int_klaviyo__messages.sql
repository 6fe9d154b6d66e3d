-- What campaigns and flows sent, in one shape. A campaign stands at its send time with all that came of it, a flow's
-- message at noon UTC of each day. A text message cannot be seen to be opened: the vendor's 0 says nothing.
with

messages as (

    select
        merchant_id,
        'campaign' as kind,
        channel,
        message_id,
        message_name,
        campaign_id as campaign_or_flow_id,
        campaign_name as campaign_or_flow_name,
        recipients,
        delivered,
        opens,
        unique_opens,
        clicks,
        unique_clicks,
        conversions,
        unique_conversions,
        claimed_value,
        unsubscribes,
        unique_unsubscribes,
        bounces,
        spam_complaints,
        conversion_metric_id,
        currency,
        time_zone,
        sent_at,
        sent_at as measured_at,
        api_version
    from {{ ref('stg_klaviyo__campaign_values') }}
    union all
    select
        merchant_id,
        'flow' as kind,
        channel,
        message_id,
        message_name,
        flow_id as campaign_or_flow_id,
        flow_name as campaign_or_flow_name,
        recipients,
        delivered,
        opens,
        unique_opens,
        clicks,
        unique_clicks,
        conversions,
        unique_conversions,
        claimed_value,
        unsubscribes,
        unique_unsubscribes,
        bounces,
        spam_complaints,
        conversion_metric_id,
        currency,
        time_zone,
        null::timestamptz as sent_at,
        measured_at,
        api_version
    from {{ ref('stg_klaviyo__flow_values') }}

),

final as (

    select
        messages.merchant_id,
        messages.kind,
        messages.channel,
        messages.message_id,
        messages.message_name,
        messages.campaign_or_flow_id,
        messages.campaign_or_flow_name,

        messages.recipients,
        messages.delivered,
        case when messages.channel <> 'sms' then messages.opens end as opens,
        case when messages.channel <> 'sms' then messages.unique_opens end as unique_opens,
        messages.clicks,
        messages.unique_clicks,
        messages.conversions,
        messages.unique_conversions,
        messages.claimed_value,
        messages.unsubscribes,
        messages.unique_unsubscribes,
        messages.bounces,
        messages.spam_complaints,
        messages.conversion_metric_id,
        messages.currency,
        messages.time_zone,

        {{ klaviyo_is_final('messages', 'merchants') }} as is_final,
        messages.sent_at,
        messages.measured_at,
        messages.api_version
    from messages
    inner join {{ source('ops', 'merchants') }} as merchants on messages.merchant_id = merchants.merchant_id

)

select * from final
