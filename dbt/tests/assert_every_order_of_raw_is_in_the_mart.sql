-- What the shops told and what is published are the same orders. Full builds only.
{{ config(tags=['all_days']) }}

with

told as (

    {%- for channel in var('channels') %}
    select
        merchant_id,
        '{{ channel }}' as sales_channel,
        record_id as order_id,
        true as is_told
    from {{ source('raw', channel ~ '_orders') }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

published as (

    select
        merchant_id,
        sales_channel,
        order_id,
        true as is_published
    from {{ ref('fct_orders') }}

)

select
    merchant_id,
    sales_channel,
    order_id
from told
inner join {{ source('ops', 'merchants') }} using (merchant_id)
full join published using (merchant_id, sales_channel, order_id)
where {{ 'false' if scope_days() else 'true' }} and (told.is_told and published.is_published) is not true
