-- A paid channel of the day is one that cost something or was clicked last before an order.
with

spend as (

    select
        merchant_id,
        date_day,
        channel,
        {{ whole_sum('spend') }} as spend,
        bool_and(is_final) as is_final,
        bool_and(coalesce(is_merchant_day, false)) as is_merchant_day
    from {{ ref('fct_ad_spend') }}
    group by merchant_id, date_day, channel

),

credited as (

    select
        merchant_id,
        date_day,
        channel,
        count(*) as attributed_orders,
        sum(attributed_revenue) as attributed_revenue
    from {{ ref('fct_attributed_orders') }}
    where is_paid
    group by merchant_id, date_day, channel

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

days as (

    select
        merchant_id,
        date_day,
        channel,
        spend.spend,
        coalesce(credited.attributed_orders, 0) as attributed_orders,
        coalesce(credited.attributed_revenue, 0.00) as attributed_revenue,
        coalesce(spend.is_final, false) as is_final,
        coalesce(spend.is_merchant_day, true) as is_merchant_day
    from spend
    full join credited using (merchant_id, date_day, channel)

),

final as (

    select
        days.merchant_id,
        days.date_day,
        days.channel,
        merchants.currency,
        days.spend,
        days.attributed_orders,
        days.attributed_revenue,
        round(days.attributed_revenue / nullif(days.spend, 0), 6) as roas,
        days.is_final,
        days.is_merchant_day,
        1 as metric_version
    from days
    inner join merchants on days.merchant_id = merchants.merchant_id

)

select * from final
