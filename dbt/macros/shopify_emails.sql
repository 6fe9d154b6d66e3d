{#- Whose each e-mail is: the customer id of the earliest order with an id that carries it, tests included. -#}
{% macro shopify_emails(identities) -%}
    select
        merchant_id,
        email,
        (
            array_agg(customer_id order by ordered_at, length(order_id), order_id)
            filter (where customer_id is not null)
        )[1] as owner_id
    from {{ identities }}
    where email is not null and not has_dummy_email
    group by merchant_id, email
{%- endmacro %}
