-- The visits that led to any order of the customers in scope, found by raw's key: their ids begin with the order's. An
-- order that another channel sold and Shopify only copied came from there, whatever visits it has. Ids compare as raw's
-- do.
with

customer_orders as (

    select * from {{ ref('int_shopify__customer_orders') }}

),

orders as (

    select
        merchant_id,
        sales_channel,
        order_id collate "C" as order_id,
        mirrors_channel,
        ordered_at
    from {{ ref('fct_orders') }}
    where sales_channel = 'shopify' and customer_key is null

),

keys as (

    select
        merchant_id,
        order_id,
        customer_identity
    from customer_orders
    union all
    select
        merchant_id,
        order_id,
        null as customer_identity
    from orders

),

final as (

    select
        keys.merchant_id,
        'shopify/' || visits.record_id as touchpoint_id,
        -- of a visit that several orders tell of there is one
        'shopify/visit/' || split_part(visits.record_id, '/', 2) as contact_id,
        'shopify' as touch_channel,
        'shopify' as sales_channel,
        keys.order_id,
        keys.customer_identity,
        visits.occurred_at,
        visits.utm_source,
        visits.utm_medium,
        visits.utm_campaign,
        {{ click_id('visits.landing_page') }} as click_id,
        {{ domain_of('visits.referrer_url') }} as referrer_domain,
        false as is_native,
        false as is_fallback,
        2 as priority
    from keys
    inner join lateral (
        select candidates.*
        from {{ ref('stg_shopify__visits') }} as candidates
        where
            candidates.merchant_id = keys.merchant_id
            and candidates.record_id > keys.order_id || '/'
            and candidates.record_id < keys.order_id || '0'
        offset 0
    ) as visits on true
    union all
    select
        merchant_id,
        'shopify/' || order_id as touchpoint_id,
        'shopify/' || order_id as contact_id,
        'shopify' as touch_channel,
        sales_channel,
        order_id,
        null as customer_identity,
        ordered_at as occurred_at,
        mirrors_channel as utm_source,
        'native' as utm_medium,
        null as utm_campaign,
        null as click_id,
        null as referrer_domain,
        true as is_native,
        false as is_fallback,
        2 as priority
    from orders
    where mirrors_channel is not null

)

select * from final
