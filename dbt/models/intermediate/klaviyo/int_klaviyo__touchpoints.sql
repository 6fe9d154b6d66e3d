-- The clicks of the days in scope and of the two weeks before, as far back as the ledger tells, tied to whoever the
-- shop knows the person as: by the shop's own id where that ever ordered, else by e-mail, which belongs to whom a
-- guest's order with it would. All is looked up click by click: a join would have to guess how many people there are.
with

clicks as (

    select
        scoped.merchant_id,
        scoped.event_id,
        scoped.metric_name,
        scoped.profile_id,
        scoped.flow_id,
        scoped.campaign_name,
        scoped.happened_at
    from {{ in_reach(ref('stg_klaviyo__events'), 'happened_at', 2 * var('attribution_window_hours')) }} as scoped
    where scoped.metric_name in ('Clicked Email', 'Clicked SMS')

),

final as (

    select
        clicks.merchant_id,
        'klaviyo/' || clicks.event_id as touchpoint_id,
        'klaviyo/' || clicks.event_id as contact_id,
        'klaviyo' as touch_channel,
        'shopify' as sales_channel,
        null collate "C" as order_id,
        coalesce(
            'shopify:' || accounts.customer_id, 'shopify:' || emails.owner_id, 'email:' || people.email
        ) as customer_identity,
        clicks.happened_at as occurred_at,
        'klaviyo' as utm_source,
        case clicks.metric_name when 'Clicked SMS' then 'sms' else 'email' end as utm_medium,
        coalesce(clicks.campaign_name, clicks.flow_id) as utm_campaign,
        null as click_id,
        null as referrer_domain,
        false as is_native,
        false as is_fallback,
        3 as priority
    from clicks
    left join lateral (
        select candidates.*
        from {{ ref('stg_klaviyo__profiles') }} as candidates
        where candidates.merchant_id = clicks.merchant_id and candidates.profile_id = clicks.profile_id
        offset 0
    ) as people on true
    left join lateral (
        select candidates.customer_id
        from {{ ref('stg_shopify__order_identities') }} as candidates
        where candidates.merchant_id = clicks.merchant_id and candidates.customer_id = people.external_id
        limit 1
    ) as accounts on true
    left join lateral (
        select candidates.owner_id
        from {{ ref('int_shopify__emails') }} as candidates
        where
            candidates.merchant_id = clicks.merchant_id
            and candidates.email = people.email
            and accounts.customer_id is null
        offset 0
    ) as emails on true

)

select * from final
