with

messages as (

    select scoped.* from {{ in_scope(ref('int_klaviyo__messages'), 'measured_at') }} as scoped

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

final as (

    select
        messages.merchant_id,
        (messages.measured_at at time zone merchants.time_zone)::date as date_day,
        messages.kind,
        messages.channel,
        messages.message_id,
        messages.message_name,
        messages.campaign_or_flow_id,
        messages.campaign_or_flow_name,
        messages.recipients,
        messages.delivered,
        messages.opens,
        messages.unique_opens,
        messages.clicks,
        messages.unique_clicks,
        messages.conversions,
        messages.unique_conversions,
        messages.claimed_value,
        messages.unsubscribes,
        messages.unique_unsubscribes,
        messages.bounces,
        messages.spam_complaints,
        round(messages.unique_opens / nullif(messages.delivered, 0)::numeric, 6) as open_rate,
        round(messages.unique_clicks / nullif(messages.delivered, 0)::numeric, 6) as click_rate,
        round(messages.unique_clicks / nullif(messages.unique_opens, 0)::numeric, 6) as click_to_open_rate,
        round(messages.unique_conversions / nullif(messages.delivered, 0)::numeric, 6) as conversion_rate,
        round(messages.unique_unsubscribes / nullif(messages.delivered, 0)::numeric, 6) as unsubscribe_rate,
        round(messages.claimed_value / nullif(messages.delivered, 0), 2) as value_per_recipient,
        messages.conversion_metric_id,
        messages.currency,
        messages.sent_at,
        messages.is_final,
        messages.time_zone = merchants.time_zone as is_merchant_day,
        messages.api_version,
        1 as metric_version
    from messages
    inner join merchants on messages.merchant_id = merchants.merchant_id

)

select * from final
