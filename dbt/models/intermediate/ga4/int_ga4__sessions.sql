-- One row per day, source, medium, campaign and landing page as staging names them: what lost an address, or was empty,
-- may be one row now that was several.
with

sessions as (

    select
        merchant_id,
        report_id,
        source,
        medium,
        campaign,
        landing_page,
        sum(sessions)::bigint as sessions,
        sum(engaged_sessions)::bigint as engaged_sessions,
        -- People in several of the rows would count several times: nobody knows how many they are.
        case when count(*) = 1 then max(users) end as users,
        case when count(*) = 1 then max(new_users) end as new_users,
        sum(key_events) as key_events,
        sum(orders)::bigint as orders,
        sum(claimed_value) as claimed_value,
        measured_at,
        max(api_version) as api_version
    from {{ ref('stg_ga4__sessions') }}
    group by merchant_id, report_id, source, medium, campaign, landing_page, measured_at

),

final as (

    select
        sessions.merchant_id,
        md5(
            jsonb_build_array(sessions.source, sessions.medium, sessions.campaign, sessions.landing_page)::text
        ) as segment_id,
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
        reports.currency,
        reports.time_zone,

        {{ ga4_is_final('sessions') }} as is_final,
        reports.is_thresholded,
        reports.is_sampled,
        reports.has_data_loss,

        sessions.measured_at,
        sessions.api_version
    from sessions
    left join lateral (
        select candidates.*
        from {{ ref('stg_ga4__reports') }} as candidates
        where
            candidates.merchant_id = sessions.merchant_id
            and candidates.report = 'sessions'
            and candidates.record_id = sessions.report_id
        offset 0
    ) as reports on true

)

select * from final
