-- The session in which GA4 saw an order of the shop's website being placed. What it does not know says nothing. Of
-- several sessions, as when the buyer opens the confirmation again, the first counts, and else the alphabet decides.
with

orders as (

    select * from {{ ref('fct_orders') }}
    where sales_channel = 'shopify' and mirrors_channel is null

),

final as (

    select
        orders.merchant_id,
        'ga4/' || orders.order_id collate "C" as touchpoint_id,
        'ga4/' || orders.order_id collate "C" as contact_id,
        'ga4' as touch_channel,
        orders.sales_channel,
        orders.order_id collate "C" as order_id,
        null as customer_identity,
        orders.ordered_at as occurred_at,
        sessions.source as utm_source,
        sessions.medium as utm_medium,
        nullif(sessions.campaign, '(not set)') as utm_campaign,
        null as click_id,
        null as referrer_domain,
        false as is_native,
        true as is_fallback,
        4 as priority
    from orders
    inner join lateral (
        select candidates.*
        from {{ ref('stg_ga4__transactions') }} as candidates
        where
            candidates.merchant_id = orders.merchant_id
            and candidates.transaction_id = orders.order_id
            and candidates.source not in ('(direct)', '(not set)', '(other)', '(data not available)')
            and candidates.medium not in ('(none)', '(not set)', '(other)', '(data not available)')
        order by candidates.measured_at, candidates.source, candidates.medium, candidates.campaign
        limit 1
    ) as sessions on true

)

select * from final
