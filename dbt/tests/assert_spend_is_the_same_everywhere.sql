-- By campaign, by channel and by day it is the same money, whichever way it took; one part unknown, all unknown.

with

campaigns as (

    select
        merchant_id,
        date_day,
        channel,
        {{ whole_sum('spend') }} as spend
    from {{ ref('fct_ad_spend') }}
    group by merchant_id, date_day, channel

),

days as (

    select
        merchant_id,
        date_day,
        {{ whole_sum('spend') }} as spend
    from campaigns
    group by merchant_id, date_day

)

select
    merchant_id,
    date_day,
    channel
from campaigns
full join {{ ref('fct_roas') }} as roas using (merchant_id, date_day, channel)
full join {{ ref('fct_channel_daily') }} as claims using (merchant_id, date_day, channel)
where roas.spend is distinct from campaigns.spend or claims.spend is distinct from campaigns.spend
union all
select
    days.merchant_id,
    days.date_day,
    null as channel
from days
left join {{ ref('fct_daily_metrics') }} as metrics
    on days.merchant_id = metrics.merchant_id and days.date_day = metrics.date_day
where metrics.date_day is null or metrics.spend is distinct from days.spend
