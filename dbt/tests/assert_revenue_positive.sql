-- A closed day on which more was given back than sold: the gate holds its merchant back.

select
    days.merchant_id,
    days.date_day,
    days.revenue
from {{ ref('fct_daily_metrics') }} as days
inner join {{ source('ops', 'merchants') }} as merchants on days.merchant_id = merchants.merchant_id
where days.revenue < 0 and days.date_day < (now() at time zone merchants.time_zone)::date
