-- Who was new on a day, by what brought them, and what they bought since. Each customer is counted once as new, in
-- month 0, so that any rows may be added up.
with

customers as (

    select * from {{ ref('dim_customers') }}
    where is_new_customer

),

orders as (

    select * from {{ ref('int_customer_revenue') }}
    where is_counted

),

placed as (

    select
        customers.merchant_id,
        customers.date_day,
        customers.first_channel,
        customers.cohort_month,
        customers.currency,
        customers.customer_key,
        orders.order_id = orders.first_order_id as is_first_order,
        (
            (extract(year from orders.date_day) - extract(year from customers.cohort_month)) * 12
            + extract(month from orders.date_day)
            - extract(month from customers.cohort_month)
        )::integer as month_number,
        orders.revenue
    from customers
    inner join orders
        on
            customers.merchant_id = orders.merchant_id
            and customers.first_sales_channel = orders.sales_channel
            and customers.first_order_id = orders.first_order_id

),

final as (

    select
        merchant_id,
        date_day,
        first_channel,
        month_number,
        cohort_month,
        currency,
        count(*) filter (where is_first_order) as new_customers,
        count(distinct customer_key) as active_customers,
        count(*) as orders,
        sum(revenue) as revenue,
        1 as metric_version
    from placed
    group by merchant_id, date_day, first_channel, month_number, cohort_month, currency

)

select * from final
