-- One row per merchant and e-mail: the customer id that owns it, and the first order a guest placed with it.
with

identities as (

    select * from {{ ref('stg_shopify__order_identities') }}

),

final as (

    select
        identities.merchant_id,
        identities.email,
        (
            array_agg(
                identities.customer_id order by identities.ordered_at, length(identities.order_id), identities.order_id
            ) filter (where identities.customer_id is not null)
        )[1] as owner_id,
        (
            array_agg(
                identities.order_id order by identities.ordered_at, length(identities.order_id), identities.order_id
            ) filter (where identities.customer_id is null and not identities.is_test)
        )[1] as first_guest_order_id,
        min(
            case when identities.customer_id is null and not identities.is_test then identities.ordered_at end
        ) as first_guest_ordered_at
    from identities
    where identities.email is not null and not identities.has_dummy_email
    group by identities.merchant_id, identities.email

)

select * from final
