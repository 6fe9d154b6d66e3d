{{ config(materialized='table') }}

-- Who placed each order, and that customer's first order ever. Looked up per distinct e-mail and customer through
-- raw's identity indexes: a small scope does not read all history, and a customer of many orders is read once.
with

orders as (

    select
        scoped.merchant_id,
        scoped.order_id,
        scoped.customer_id,
        case when not scoped.has_dummy_email then scoped.email end as email
    from {{ in_scope(ref('stg_shopify__order_identities'), 'ordered_at') }} as scoped

),

guests as (

    select emails.*
    from (
        select distinct
            merchant_id,
            email
        from orders
        where customer_id is null and email is not null
    ) as keys
    inner join lateral (
        select candidates.*
        from {{ ref('int_shopify__emails') }} as candidates
        where candidates.merchant_id = keys.merchant_id and candidates.email = keys.email
        offset 0
    ) as emails on true

),

identified as (

    select
        orders.merchant_id,
        orders.order_id,
        coalesce(orders.customer_id, guests.owner_id) as customer_id,
        orders.email
    from orders
    left join guests
        on
            orders.merchant_id = guests.merchant_id
            and orders.email = guests.email
            and orders.customer_id is null

),

history as (

    select
        keys.merchant_id,
        keys.customer_id,
        placed.order_id,
        placed.ordered_at,
        placed.email,
        placed.is_test
    from (
        select distinct
            merchant_id,
            customer_id
        from identified
        where customer_id is not null
    ) as keys
    inner join lateral (
        select candidates.*
        from {{ ref('stg_shopify__order_identities') }} as candidates
        where candidates.merchant_id = keys.merchant_id and candidates.customer_id = keys.customer_id
        offset 0
    ) as placed on true

),

guest_history as (

    select
        keys.merchant_id,
        keys.customer_id,
        emails.first_guest_order_id as order_id,
        emails.first_guest_ordered_at as ordered_at
    from (
        select distinct
            merchant_id,
            customer_id,
            email
        from history
        where email is not null
    ) as keys
    inner join lateral (
        select candidates.*
        from {{ ref('int_shopify__emails') }} as candidates
        where candidates.merchant_id = keys.merchant_id and candidates.email = keys.email
        offset 0
    ) as emails on true
    where emails.owner_id = keys.customer_id and emails.first_guest_order_id is not null

),

candidates as (

    select
        merchant_id,
        customer_id,
        order_id,
        ordered_at
    from history
    where not is_test
    union all
    select
        merchant_id,
        customer_id,
        order_id,
        ordered_at
    from guest_history

),

first_orders as (

    select distinct on (merchant_id, customer_id)
        merchant_id,
        customer_id,
        order_id
    from candidates
    order by merchant_id, customer_id, ordered_at, length(order_id), order_id

),

final as (

    select
        identified.merchant_id,
        'shopify' as sales_channel,
        identified.order_id,
        coalesce('shopify:' || identified.customer_id, 'email:' || identified.email) as customer_identity,
        coalesce(first_orders.order_id, guests.first_guest_order_id) as first_order_id
    from identified
    left join first_orders
        on identified.merchant_id = first_orders.merchant_id and identified.customer_id = first_orders.customer_id
    left join guests
        on
            identified.merchant_id = guests.merchant_id
            and identified.email = guests.email
            and identified.customer_id is null

)

select * from final
