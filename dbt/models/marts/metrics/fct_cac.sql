with

days as (

    select * from {{ ref('fct_roas') }}

),

customers as (

    select
        merchant_id,
        date_day,
        channel,
        count(*) as new_customers
    from {{ ref('fct_attributed_orders') }}
    where is_paid and is_new_customer
    group by merchant_id, date_day, channel

),

final as (

    select
        days.merchant_id,
        days.date_day,
        days.channel,
        days.currency,
        days.spend,
        coalesce(customers.new_customers, 0) as new_customers,
        round(days.spend / customers.new_customers, 2) as cac,
        days.is_final,
        days.is_merchant_day,
        1 as metric_version
    from days
    left join customers
        on
            days.merchant_id = customers.merchant_id
            and days.date_day = customers.date_day
            and days.channel = customers.channel

)

select * from final
