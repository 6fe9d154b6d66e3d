{{ config(materialized='table') }}
-- depends_on: {{ ref('int_orders') }}
-- depends_on: {{ ref('int_order_lines') }}

-- What every order is worth of the customers whose first is in scope. Those of the scope's days are built already;
-- the others are looked up one by one.
with

customers as (

    select * from {{ ref('int_order_customers') }}

),

built as (

    select * from {{ ref('fct_orders') }}

),

in_scope as (

    select
        customers.merchant_id,
        customers.sales_channel,
        customers.first_order_id,
        built.order_id,
        built.date_day,
        built.is_counted,
        built.revenue,
        built.refunds,
        built.ordered_at
    from customers
    inner join built
        on
            customers.merchant_id = built.merchant_id
            and customers.sales_channel = built.sales_channel
            and customers.order_id = built.order_id
    where customers.first_order_id is not null

){% if scope_days() %},

-- by a window, because a join would have to guess how few orders of a few customers there are, and tries all pairs
known as (

    select
        customers.*,
        built.order_id is not null as is_built,
        bool_or(built.order_id is not null and customers.order_id = customers.first_order_id) over (
            partition by customers.merchant_id, customers.sales_channel, customers.first_order_id
        ) as is_first_built
    from customers
    left join built
        on
            customers.merchant_id = built.merchant_id
            and customers.sales_channel = built.sales_channel
            and customers.order_id = built.order_id

),

missing as (

    select * from known
    where is_first_built and not is_built

),

looked_up as (

    select
        missing.merchant_id,
        missing.sales_channel,
        missing.first_order_id,
        missing.order_id,
        (orders.ordered_at at time zone merchants.time_zone)::date as date_day,
        orders.is_counted,
        {{ revenue_of_order('orders') }} as revenue,
        orders.refunds,
        orders.ordered_at
    from missing
    inner join {{ source('ops', 'merchants') }} as merchants on missing.merchant_id = merchants.merchant_id
    inner join lateral (
        select
            candidates.*,
            merchants.revenue_includes_tax,
            lines.gross_sales,
            lines.discounts
        from {{ ref('int_orders') }} as candidates
        inner join lateral (
            select
                coalesce(sum(sold.gross_sales), 0.00) as gross_sales,
                coalesce(sum(sold.discounts), 0.00) as discounts
            from {{ ref('int_order_lines') }} as sold
            where
                sold.merchant_id = missing.merchant_id
                and sold.sales_channel = missing.sales_channel
                and sold.order_id = missing.order_id
        ) as lines on true
        where
            candidates.merchant_id = missing.merchant_id
            and candidates.sales_channel = missing.sales_channel
            and candidates.order_id = missing.order_id
        offset 0
    ) as orders on true

){% endif %}

select * from in_scope
{%- if scope_days() %}
union all
select * from looked_up
{%- endif %}
