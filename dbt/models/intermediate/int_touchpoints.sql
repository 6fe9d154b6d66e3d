{{ config(
    materialized='table',
    indexes=[{'columns': [
        'merchant_id', 'customer_identity', 'occurred_at desc', 'priority', 'touchpoint_id', 'is_direct', 'is_excluded'
    ]}],
    post_hook=[
        "create index on {{ this }} (merchant_id, sales_channel, order_id, occurred_at, priority, touchpoint_id,
        is_native, is_fallback, is_direct, is_excluded) where customer_identity is null",
        {'sql': 'vacuum {{ this }}', 'transaction': false}
    ]
) }}

-- One index for the touches of a customer and one for those of nobody but an order. Each has all that the last click
-- asks for, and once it is vacuumed nobody has to look into the table.
-- Where each touch came from. What touches told is resolved once for all that told the same: millions of them share
-- some hundreds of tags, ids and referrers.
with

touches as (

    select
        *,
        -- short, because it is what millions of rows are sorted by
        md5(
            row(utm_source, utm_medium, utm_campaign, click_id, referrer_domain, is_native, is_fallback)::text
        )::uuid as told
    from (
        {{ union_channels('touchpoints', 'touch_channels') }}
    ) as united

),

decoded as (

    select distinct on (told, merchant_id)
        told,
        merchant_id,
        utm_source,
        utm_medium,
        utm_campaign,
        click_id,
        referrer_domain,
        is_native,
        is_fallback
    from touches
    order by told, merchant_id

),

tagged as (

    select
        decoded.*,
        {{ utm_value('decoded.utm_source') }} as tagged_source,
        {{ utm_value('decoded.utm_medium') }} as tagged_medium,
        {{ utm_value('decoded.utm_campaign') }} as campaign
    from decoded

),

explained as (

    select
        tagged.*,
        case
            when tagged.is_native then 'native'
            when tagged.is_fallback then 'ga4'
            when tagged.tagged_source is not null and tagged.tagged_medium is not null then 'utm'
            when tagged.click_id is not null then 'click_id'
            when tagged.referrer_domain is null then 'none'
            when own.merchant_id is not null then 'own_domain'
            else 'referrer'
        end as resolved_by
    from tagged
    left join {{ source('ops', 'merchants') }} as own
        on
            tagged.merchant_id = own.merchant_id
            and exists (
                select 1
                from unnest(own.domains) as domains (name)
                where {{ is_within('tagged.referrer_domain', 'domains.name') }}
            )

),

named as (

    select
        explained.*,
        case explained.resolved_by
            when 'click_id'
                then
                    case explained.click_id
                        when 'msclkid' then 'bing'
                        when 'ttclid' then 'tiktok'
                        when 'fbclid' then 'facebook'
                        else 'google'
                    end
            when 'referrer' then coalesce(known.source, explained.referrer_domain)
            when 'own_domain' then 'direct'
            when 'none' then 'direct'
            else explained.tagged_source
        end as source,
        case explained.resolved_by
            when 'click_id' then case explained.click_id when 'fbclid' then 'social' else 'cpc' end
            when 'referrer' then coalesce(known.medium, 'referral')
            when 'own_domain' then 'none'
            when 'none' then 'none'
            else explained.tagged_medium
        end as medium
    from explained
    left join lateral (
        select
            candidates.source,
            candidates.medium
        from {{ source('ops', 'referrers') }} as candidates
        where
            explained.resolved_by = 'referrer'
            and candidates.merchant_id = explained.merchant_id
            and {{ is_within('explained.referrer_domain', 'candidates.domain') }}
        order by length(candidates.domain) desc
        limit 1
    ) as known on true

),

-- materialized, or all of this would be computed for each touch
resolved as materialized (

    select
        named.merchant_id,
        named.told,
        {{ without_contacts('named.source') }} as source,
        {{ without_contacts('named.medium') }} as medium,
        {{ without_contacts('named.campaign') }} as campaign,
        {{ without_contacts('named.utm_source') }} as utm_source,
        {{ without_contacts('named.utm_medium') }} as utm_medium,
        {{ without_contacts('named.utm_campaign') }} as utm_campaign,
        named.click_id,
        {{ without_contacts('named.referrer_domain') }} as referrer_domain,
        case
            when named.is_native then named.source
            when named.resolved_by in ('own_domain', 'none') then 'direct'
            else coalesce(taxonomy.channel, 'other')
        end as channel,
        coalesce(taxonomy.is_paid and not named.is_native, false) as is_paid,
        case when not named.is_native then taxonomy.ad_platform end as ad_platform,
        taxonomy.channel is not null
        or named.is_native
        or named.resolved_by in ('own_domain', 'none') as in_taxonomy,
        {{ is_malformed_utm('named.utm_source', 'named.tagged_source') }}
        or {{ is_malformed_utm('named.utm_medium', 'named.tagged_medium') }}
        or {{ is_malformed_utm('named.utm_campaign') }} as is_malformed,
        named.resolved_by
    from named
    left join lateral {{ traffic_source_of('named') }} as taxonomy on true

),

final as (

    select
        touches.merchant_id,
        touches.touchpoint_id collate "C" as touchpoint_id,
        touches.contact_id collate "C" as contact_id,
        touches.touch_channel,
        touches.sales_channel,
        touches.order_id collate "default" as order_id,
        touches.customer_identity,
        touches.occurred_at,
        resolved.source,
        resolved.medium,
        resolved.campaign,
        resolved.channel,
        resolved.is_paid,
        resolved.ad_platform,
        resolved.in_taxonomy,
        resolved.channel = 'direct' as is_direct,
        {{ is_excluded('resolved') }} as is_excluded,
        resolved.is_malformed,
        touches.is_native,
        touches.is_fallback,
        touches.priority,
        resolved.resolved_by,
        resolved.utm_source,
        resolved.utm_medium,
        resolved.utm_campaign,
        resolved.click_id,
        resolved.referrer_domain
    from touches
    inner join resolved on touches.told = resolved.told and touches.merchant_id = resolved.merchant_id

)

select * from final
