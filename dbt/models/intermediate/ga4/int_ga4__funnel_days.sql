-- A report without a row for somebody says that there was none; a day without the report says nothing.
with

days as (

    select
        merchant_id,
        bool_or(report = 'sessions') as has_sessions,
        bool_or(report = 'funnel_events') as has_steps,
        measured_at
    from {{ ref('stg_ga4__reports') }}
    where report in ('sessions', 'funnel_events')
    group by merchant_id, measured_at

),

final as (

    select
        days.merchant_id,
        days.has_sessions,
        days.has_steps,
        {{ ga4_is_final('days') }} as is_final,
        days.measured_at
    from days

)

select * from final
