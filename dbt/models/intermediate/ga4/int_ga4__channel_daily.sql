-- What the channel claims of each of its days; what it does not say is null. A visit is this channel's click.
with

days as (

    select * from {{ ref('stg_ga4__days') }}

),

final as (

    select
        days.merchant_id,
        'website' as channel,
        reports.currency,
        null::bigint as impressions,
        visits.engagements,
        days.sessions as clicks,
        null::numeric as spend,
        visits.orders,
        visits.claimed_value,
        {{ ga4_is_final('days') }} as is_final,
        days.measured_at
    from days
    inner join lateral (
        select
            sum(sessions.engaged_sessions)::bigint as engagements,
            sum(sessions.orders)::bigint as orders,
            sum(sessions.claimed_value) as claimed_value
        from {{ ref('stg_ga4__sessions') }} as sessions
        where sessions.merchant_id = days.merchant_id and sessions.measured_at = days.measured_at
    ) as visits on true
    left join lateral (
        select candidates.*
        from {{ ref('stg_ga4__reports') }} as candidates
        where
            candidates.merchant_id = days.merchant_id
            and candidates.report = 'sessions'
            and candidates.record_id = days.report_id
        offset 0
    ) as reports on true

)

select * from final
