-- The website sees everybody's sales, so its claim overlaps with each other by nature and is left out of their sum.
with

claims as (

    select
        merchant_id,
        date_day,
        channel as claimant,
        claimed_orders,
        claimed_value,
        claimed_currency,
        attributed_orders,
        attributed_revenue,
        currency,
        is_final,
        coalesce(
            sum(claimed_orders) filter (where channel <> 'website') over (partition by merchant_id, date_day), 0
        ) as claimed_by_all
    from {{ ref('fct_channel_daily') }}
    where claimed_orders is not null

),

sold as (

    select
        merchant_id,
        date_day,
        sum(orders)::bigint as orders,
        sum(revenue) as revenue
    from {{ ref('fct_revenue') }}
    group by merchant_id, date_day

),

unattributed as (

    select
        merchant_id,
        date_day,
        count(*) as unattributed_orders
    from {{ ref('fct_attributed_orders') }}
    where rule = 'direct'
    group by merchant_id, date_day

),

-- what the other models credit
credited as (

    select
        merchant_id,
        date_day,
        channel as claimant,
        sum(credit) filter (where model = 'first_click') as first_click_orders,
        sum(credited_revenue) filter (where model = 'first_click') as first_click_revenue,
        sum(credit) filter (where model = 'linear') as linear_orders,
        sum(credited_revenue) filter (where model = 'linear') as linear_revenue,
        sum(credit) filter (where model = 'position_based') as position_based_orders,
        sum(credited_revenue) filter (where model = 'position_based') as position_based_revenue,
        sum(credit) filter (where model = 'time_decay') as time_decay_orders,
        sum(credited_revenue) filter (where model = 'time_decay') as time_decay_revenue
    from {{ ref('fct_attribution_credits') }}
    group by merchant_id, date_day, channel

),

days as (

    select
        claims.*,
        coalesce(credited.first_click_orders, 0) as first_click_orders,
        coalesce(credited.first_click_revenue, 0) as first_click_revenue,
        coalesce(credited.linear_orders, 0) as linear_orders,
        coalesce(credited.linear_revenue, 0) as linear_revenue,
        coalesce(credited.position_based_orders, 0) as position_based_orders,
        coalesce(credited.position_based_revenue, 0) as position_based_revenue,
        coalesce(credited.time_decay_orders, 0) as time_decay_orders,
        coalesce(credited.time_decay_revenue, 0) as time_decay_revenue,
        coalesce(sold.orders, 0) as orders,
        coalesce(sold.revenue, 0.00) as revenue,
        coalesce(unattributed.unattributed_orders, 0) as unattributed_orders,
        greatest(claims.claimed_by_all - coalesce(sold.orders, 0), 0) as overlap_orders
    from claims
    left join sold on claims.merchant_id = sold.merchant_id and claims.date_day = sold.date_day
    left join unattributed
        on claims.merchant_id = unattributed.merchant_id and claims.date_day = unattributed.date_day
    left join credited
        on
            claims.merchant_id = credited.merchant_id
            and claims.date_day = credited.date_day
            and claims.claimant = credited.claimant

),

final as (

    select
        merchant_id,
        date_day,
        claimant,
        claimed_orders,
        claimed_value,
        claimed_currency,
        attributed_orders,
        attributed_revenue,
        case when claimant <> 'website' then round(first_click_orders, 6) end as first_click_orders,
        case when claimant <> 'website' then round(first_click_revenue, 6) end as first_click_revenue,
        case when claimant <> 'website' then round(linear_orders, 6) end as linear_orders,
        case when claimant <> 'website' then round(linear_revenue, 6) end as linear_revenue,
        case when claimant <> 'website' then round(position_based_orders, 6) end as position_based_orders,
        case when claimant <> 'website' then round(position_based_revenue, 6) end as position_based_revenue,
        case when claimant <> 'website' then round(time_decay_orders, 6) end as time_decay_orders,
        case when claimant <> 'website' then round(time_decay_revenue, 6) end as time_decay_revenue,
        orders,
        revenue,
        currency,
        round(claimed_orders / nullif(orders, 0), 6) as claimed_share,
        unattributed_orders,
        round(unattributed_orders::numeric / nullif(orders, 0), 6) as unattributed_share,
        overlap_orders,
        round(overlap_orders / nullif(orders, 0), 6) as overlap_share,
        is_final,
        1 as metric_version
    from days

)

select * from final
