with

source as (

    select * from {{ source('raw', 'tiktok_shop_shop_performance') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.api_version,
        unpacked.start_date,
        sales.*
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        start_date date,
        sales jsonb
    ) on true
    inner join lateral jsonb_to_record(unpacked.sales) as sales (
        gmv jsonb,
        -- numeric, because the vendor may write a whole number as 7.0
        orders_count numeric,
        items_sold numeric
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        fields.gmv #>> '{overall,currency}' as currency,

        fields.orders_count::bigint as orders,
        fields.items_sold::bigint as items_sold,
        nullif(fields.gmv #>> '{overall,amount}', '')::numeric as gmv,

        fields.start_date as measured_on,
        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
