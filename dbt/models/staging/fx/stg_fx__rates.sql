with

source as (

    select * from {{ source('raw', 'fx_rates') }}

),

fields as (

    select
        source.merchant_id,
        source.record_id,
        source.event_at,
        unpacked.quoted_on,
        unpacked.base,
        -- one unit of the base buys one of the base
        unpacked.rates || jsonb_build_object(unpacked.base, '1') as with_base
    from source
    inner join lateral jsonb_to_record(source.payload) as unpacked (
        quoted_on date,
        base text,
        rates jsonb
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        fields.base as base_currency,
        quoted.currency,

        quoted.rate::numeric as rate,

        fields.quoted_on,
        fields.event_at as measured_at
    from fields
    inner join lateral jsonb_each_text(fields.with_base) as quoted (currency, rate) on true

)

select * from final
