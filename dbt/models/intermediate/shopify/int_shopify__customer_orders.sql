{{ config(materialized='table') }}
-- depends_on: {{ ref('int_shopify__emails') }}

-- Every order of every customer who ordered in scope. Of a scope they are looked up per distinct customer and e-mail
-- through raw's identity indexes, so that a small one does not read all history; a full build reads all once.
with

{% if scope_days() -%}
orders as (

    select scoped.* from {{ in_scope(ref('stg_shopify__order_identities'), 'ordered_at') }} as scoped

),

guests as (

    select emails.*
    from (
        select distinct
            merchant_id,
            email
        from orders
        where customer_id is null and email is not null and not has_dummy_email
    ) as keys
    inner join lateral (
        select candidates.*
        from {{ ref('int_shopify__emails') }} as candidates
        where candidates.merchant_id = keys.merchant_id and candidates.email = keys.email
        offset 0
    ) as emails on true

),

accounts as (

    select
        merchant_id,
        customer_id
    from orders
    where customer_id is not null
    union
    select
        merchant_id,
        owner_id
    from guests
    where owner_id is not null

),

with_account as (

    select placed.*
    from accounts
    inner join lateral (
        select candidates.*
        from {{ ref('stg_shopify__order_identities') }} as candidates
        where candidates.merchant_id = accounts.merchant_id and candidates.customer_id = accounts.customer_id
        offset 0
    ) as placed on true

),

addresses as (

    select
        merchant_id,
        email
    from guests
    union
    select
        merchant_id,
        email
    from with_account
    where email is not null and not has_dummy_email

),

with_address as (

    select placed.*
    from addresses
    inner join lateral (
        select candidates.*
        from {{ ref('stg_shopify__order_identities') }} as candidates
        where candidates.merchant_id = addresses.merchant_id and candidates.email = addresses.email
        offset 0
    ) as placed on true

),

identities as (

    select * from with_account
    union
    select * from with_address

),

wanted as (

    select
        merchant_id,
        'shopify:' || customer_id as customer_identity
    from accounts
    union all
    select
        merchant_id,
        'email:' || email as customer_identity
    from guests
    where owner_id is null

),
{%- else -%}
identities as (

    select * from {{ ref('stg_shopify__order_identities') }}

),
{%- endif %}

emails as (

    {{ shopify_emails('identities') }}

),

identified as (

    select
        identities.merchant_id,
        'shopify' as sales_channel,
        case
            when identities.customer_id is not null then 'shopify:' || identities.customer_id
            when emails.owner_id is not null then 'shopify:' || emails.owner_id
            else 'email:' || emails.email
        end as customer_identity,
        identities.order_id,
        identities.ordered_at,
        identities.is_test
    from identities
    left join emails
        on
            identities.merchant_id = emails.merchant_id
            and identities.email = emails.email
            and identities.customer_id is null

),

final as (

    select identified.*
    from identified
    {% if scope_days() -%}
    inner join wanted
        on
            identified.merchant_id = wanted.merchant_id
            and identified.customer_identity = wanted.customer_identity
    {%- else -%}
    where identified.customer_identity is not null
    {%- endif %}

)

select * from final
