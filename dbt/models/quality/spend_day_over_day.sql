-- As day_over_day, of ad spend.
with

known as (

    select
        recent.merchant_id,
        recent.date_day,
        sum(recent.spend) as spend
    from {{ recent_days('fct_ad_spend', ['spend'], var('judged_days') | int + 1) }} as recent
    group by recent.merchant_id, recent.date_day

),

final as (

    select
        known.merchant_id,
        known.date_day,
        known.spend,
        day_before.spend as spend_day_before
    from known
    inner join known as day_before
        on known.merchant_id = day_before.merchant_id and known.date_day = day_before.date_day + 1
    where not {{ is_promotion('known.merchant_id', 'known.date_day') }}

)

select * from final
