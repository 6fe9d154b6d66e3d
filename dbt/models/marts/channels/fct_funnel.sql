-- How many of a channel's contacts came to each stage of a purchase. Who tells a stage of a channel is said in one
-- place, the end of `days` and `declared`: one source each, so that nobody is counted twice.
with

visits as (

    select scoped.* from {{ in_scope(ref('int_ga4__funnel'), 'measured_at') }} as scoped

),

reports as (

    select scoped.* from {{ in_scope(ref('int_ga4__funnel_days'), 'measured_at') }} as scoped

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

-- materialized, so that each name is looked up once however many days have it
named as materialized (

    select
        names.merchant_id,
        names.source,
        names.medium,
        case
            when names.source = '(direct)' and names.medium = '(none)' then 'direct'
            else coalesce(taxonomy.channel, 'other')
        end as channel
    from (
        select distinct
            merchant_id,
            source,
            medium
        from visits
    ) as names
    left join lateral {{ traffic_source_of('names') }} as taxonomy on true

),

website as (

    select
        visits.merchant_id,
        (visits.measured_at at time zone merchants.time_zone)::date as date_day,
        named.channel,
        sum(visits.sessions)::bigint as sessions,
        sum(visits.product_views)::bigint as product_views,
        sum(visits.adds_to_cart)::bigint as adds_to_cart,
        sum(visits.checkouts)::bigint as checkouts
    from visits
    inner join merchants on visits.merchant_id = merchants.merchant_id
    inner join named
        on
            visits.merchant_id = named.merchant_id
            and visits.source = named.source
            and visits.medium = named.medium
    group by visits.merchant_id, date_day, named.channel

),

website_days as (

    select
        reports.*,
        (reports.measured_at at time zone merchants.time_zone)::date as date_day
    from reports
    inner join merchants on reports.merchant_id = merchants.merchant_id

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
        own.impressions,
        own.engagements,
        own.clicks,
        coalesce(website.sessions, case when website_days.has_sessions then 0 end) as sessions,
        coalesce(website.product_views, case when website_days.has_steps then 0 end) as product_views,
        coalesce(website.adds_to_cart, case when website_days.has_steps then 0 end) as adds_to_cart,
        coalesce(website.checkouts, case when website_days.has_steps then 0 end) as checkouts,
        coalesce(own.attributed_orders, 0) as orders,
        own.is_final as own_is_final,
        coalesce(website_days.is_final, false) as website_is_final,
        sold.is_final as orders_are_final,
        case when channel in ('email', 'sms', 'push', 'whatsapp') then 'klaviyo' else channel end as vendor,
        channel in ('tiktok_shop', 'email', 'sms', 'push', 'whatsapp') as is_clicked,
        channel = 'tiktok_shop' as is_marketplace
    from (
        select * from {{ ref('fct_channel_daily') }}
        where channel <> 'website'
    ) as own
    full join website using (merchant_id, date_day, channel)
    left join website_days using (merchant_id, date_day)
    left join sold using (merchant_id, date_day)

),

declared as (

    select
        days.merchant_id,
        days.date_day,
        days.channel,
        stages.*
    from days
    cross join lateral (
        values
        (1, 'awareness', vendor, impressions, own_is_final),
        (2, 'engagement', vendor, engagements, own_is_final),
        (
            3,
            'visit',
            case when is_clicked then vendor else 'ga4' end,
            case when is_clicked then clicks else sessions end,
            case when is_clicked then own_is_final else website_is_final end
        ),
        (4, 'product_view', 'ga4', case when not is_marketplace then product_views end, website_is_final),
        (5, 'add_to_cart', 'ga4', case when not is_marketplace then adds_to_cart end, website_is_final),
        (6, 'checkout', 'ga4', case when not is_marketplace then checkouts end, website_is_final),
        (7, 'purchase', 'orders', orders, orders_are_final)
    ) as stages (stage_number, stage, source, contacts, is_final)

),

compared as (

    select
        *,
        array_agg(stage) filter (where contacts is not null) over earlier as stages_before,
        array_agg(contacts) filter (where contacts is not null) over earlier as contacts_before,
        bool_and(is_final) filter (where contacts is not null) over whole as all_are_final
    from declared
    window
        whole as (partition by merchant_id, date_day, channel),
        earlier as (
            partition by merchant_id, date_day, channel
            order by stage_number
            rows between unbounded preceding and 1 preceding
        )

),

told as (

    select
        *,
        stages_before[cardinality(stages_before)] as previous_stage,
        contacts_before[cardinality(contacts_before)] as previous_contacts
    from compared

),

converted as (

    select
        *,
        case when previous_contacts > 0 then round(contacts / previous_contacts::numeric, 6) end as conversion
    from told

),

final as (

    select
        merchant_id,
        date_day,
        channel,
        stage,
        stage_number,
        case when contacts is not null then source end as told_by,
        contacts,
        previous_stage,
        conversion,
        1 - conversion as drop_off,
        coalesce(all_are_final, false) as is_final,
        1 as metric_version
    from converted

)

select * from final
