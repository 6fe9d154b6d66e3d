with

sessions as (

    select scoped.* from {{ in_scope(ref('int_ga4__sessions'), 'measured_at') }} as scoped

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

final as (

    select
        sessions.merchant_id,
        (sessions.measured_at at time zone merchants.time_zone)::date as date_day,
        sessions.segment_id,
        sessions.source,
        sessions.medium,
        sessions.campaign,
        sessions.landing_page,
        sessions.sessions,
        sessions.engaged_sessions,
        sessions.users,
        sessions.new_users,
        sessions.key_events,
        sessions.orders,
        sessions.claimed_value,
        sessions.currency,
        sessions.is_final,
        sessions.is_thresholded,
        sessions.is_sampled,
        sessions.has_data_loss,
        sessions.time_zone = merchants.time_zone as is_merchant_day,
        sessions.measured_at,
        sessions.api_version,
        1 as metric_version
    from sessions
    inner join merchants on sessions.merchant_id = merchants.merchant_id

)

select * from final
