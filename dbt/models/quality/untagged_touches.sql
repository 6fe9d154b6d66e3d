-- Touches that a link or a page led to: who came directly, and what a channel sold itself, has no tags to lose.
with

recent as (

    select touches.*
    from {{ recent_days('fct_touchpoints', ['utm_source', 'is_direct', 'resolved_by'], var('judged_days')) }} as touches

),

final as (

    select
        merchant_id,
        date_day,
        count(*) as touches,
        count(*) filter (where utm_source is null) as untagged
    from recent
    where not is_direct and resolved_by <> 'native'
    group by merchant_id, date_day

)

select * from final
