-- On the day of the first order ever, with what became of the customer since, on any day.
with

first_orders as (

    select * from {{ ref('fct_orders') }}

),

clicks as (

    select * from {{ ref('fct_attributed_orders') }}

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

figures as (

    select
        merchant_id,
        sales_channel,
        first_order_id,
        count(*) filter (where is_counted) as orders,
        sum(revenue) as revenue,
        coalesce(sum(refunds) filter (where is_counted), 0.00) as refunds,
        max(ordered_at) filter (where is_counted) as last_ordered_at
    from {{ ref('int_customer_revenue') }}
    group by merchant_id, sales_channel, first_order_id

),

final as (

    select
        first_orders.merchant_id,
        first_orders.date_day,
        first_orders.customer_key,
        first_orders.sales_channel as first_sales_channel,
        first_orders.order_id as first_order_id,
        first_orders.ordered_at as first_ordered_at,
        first_orders.is_new_customer,
        clicks.channel as first_channel,
        clicks.source as first_source,
        clicks.medium as first_medium,
        clicks.campaign as first_campaign,
        date_trunc('month', first_orders.date_day::timestamp)::date as cohort_month,
        figures.orders,
        figures.revenue,
        figures.refunds,
        figures.last_ordered_at,
        merchants.currency,
        1 as metric_version
    from first_orders
    inner join merchants on first_orders.merchant_id = merchants.merchant_id
    inner join figures
        on
            first_orders.merchant_id = figures.merchant_id
            and first_orders.sales_channel = figures.sales_channel
            and first_orders.order_id = figures.first_order_id
    left join clicks
        on
            first_orders.merchant_id = clicks.merchant_id
            and first_orders.date_day = clicks.date_day
            and first_orders.sales_channel = clicks.sales_channel
            and first_orders.order_id = clicks.order_id

)

select * from final
