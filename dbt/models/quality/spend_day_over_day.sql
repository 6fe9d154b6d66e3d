-- What a gate compares a day's spend with when the day before is outside the build: its published rows.
{% set published = published_mart('fct_ad_spend') %}
{% set days = scope_days() %}

with

built as (

    select
        merchant_id,
        date_day,
        sum(spend) as spend
    from {{ ref('fct_ad_spend') }}
    group by merchant_id, date_day

),

known as (

    select * from built
    {%- if published and days %}
    union all
    select
        published.merchant_id,
        published.date_day,
        sum(published.spend) as spend
    from {{ published }} as published
    left join {{ days }} as days
        on published.merchant_id = days.merchant_id and published.date_day = days.date_day
    where days.date_day is null
    group by published.merchant_id, published.date_day
    {%- endif %}

),

final as (

    select
        built.merchant_id,
        built.date_day,
        built.spend,
        day_before.spend as spend_day_before
    from built
    inner join known as day_before
        on built.merchant_id = day_before.merchant_id and built.date_day = day_before.date_day + 1

)

select * from final
