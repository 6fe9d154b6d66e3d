-- What a channel says of itself, beside the orders that are credited to it. The website is where people were sent, so
-- it is nobody's last click.
with

claims as (

    select scoped.* from {{ in_scope(ref('int_channel_daily'), 'measured_at') }} as scoped

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

claimed as (

    select
        claims.*,
        (claims.measured_at at time zone merchants.time_zone)::date as date_day
    from claims
    inner join merchants on claims.merchant_id = merchants.merchant_id

),

credited as (

    select
        merchant_id,
        date_day,
        channel,
        count(*) as attributed_orders,
        sum(attributed_revenue) as attributed_revenue,
        count(*) filter (where is_new_customer) as new_customers
    from {{ ref('fct_attributed_orders') }}
    group by merchant_id, date_day, channel

),

sold as (

    select
        merchant_id,
        date_day,
        bool_and(is_final) as is_final
    from {{ ref('fct_revenue') }}
    group by merchant_id, date_day

),

days as (

    select
        merchant_id,
        date_day,
        channel,
        channel <> 'website' as is_clicked,
        claimed.impressions,
        claimed.engagements,
        claimed.clicks,
        claimed.spend,
        claimed.orders as claimed_orders,
        claimed.claimed_value,
        claimed.currency as claimed_currency,
        coalesce(credited.attributed_orders, 0) as attributed_orders,
        coalesce(credited.attributed_revenue, 0.00) as attributed_revenue,
        coalesce(credited.new_customers, 0) as new_customers,
        coalesce(claimed.is_final, sold.is_final, false) as is_final
    from claimed
    full join credited using (merchant_id, date_day, channel)
    left join sold using (merchant_id, date_day)

),

final as (

    select
        days.merchant_id,
        days.date_day,
        days.channel,
        days.impressions,
        days.engagements,
        days.clicks,
        days.spend,
        days.claimed_orders,
        days.claimed_value,
        days.claimed_currency,
        case when days.is_clicked then days.attributed_orders end as attributed_orders,
        case when days.is_clicked then days.attributed_revenue end as attributed_revenue,
        case when days.is_clicked then days.new_customers end as new_customers,
        merchants.currency,
        days.is_final,
        1 as metric_version
    from days
    inner join merchants on days.merchant_id = merchants.merchant_id

)

select * from final
