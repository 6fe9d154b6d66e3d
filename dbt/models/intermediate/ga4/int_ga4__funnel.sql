-- Visits and the steps of them towards a purchase, by where they came from, in lower case as traffic sources are
-- listed. What is null was not in the report of that row.
with

steps as (

    select
        merchant_id,
        source,
        medium,
        'session' as step,
        sessions as contacts,
        measured_at
    from {{ ref('stg_ga4__sessions') }}
    union all
    select
        merchant_id,
        source,
        medium,
        event_name as step,
        events as contacts,
        measured_at
    from {{ ref('stg_ga4__funnel_events') }}
    where event_name in ('view_item', 'add_to_cart', 'begin_checkout')

),

final as (

    select
        merchant_id,
        lower(source) as source,
        lower(medium) as medium,
        sum(contacts) filter (where step = 'session')::bigint as sessions,
        sum(contacts) filter (where step = 'view_item')::bigint as product_views,
        sum(contacts) filter (where step = 'add_to_cart')::bigint as adds_to_cart,
        sum(contacts) filter (where step = 'begin_checkout')::bigint as checkouts,
        measured_at
    from steps
    group by merchant_id, lower(source), lower(medium), measured_at

)

select * from final
