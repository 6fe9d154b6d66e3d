-- What each report of a day says of itself. Its id is the date alone, so that a row's report is found by raw's key.
with

{% set reports = ['days', 'sessions', 'funnel_events', 'transactions', 'ad_cost'] -%}
source as (

    {%- for report in reports %}
    select
        '{{ report }}' as report,
        merchant_id,
        record_id,
        event_at,
        api_version,
        payload
    from {{ source('raw', 'ga4_' ~ report) }}
    where record_id not like '%/%'
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

fields as (

    select
        source.report,
        source.merchant_id,
        source.record_id,
        source.event_at,
        source.api_version,
        unpacked."rowCount",
        metadata.*
    from source
    inner join lateral jsonb_to_record(source.payload -> 'report') as unpacked (
        "rowCount" bigint,
        metadata jsonb
    ) on true
    inner join lateral jsonb_to_record(unpacked.metadata) as metadata (
        "currencyCode" text,
        "timeZone" text,
        "dataLossFromOtherRow" boolean,
        "subjectToThresholding" boolean,
        "samplingMetadatas" jsonb,
        "emptyReason" text
    ) on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        fields.report,
        fields."rowCount" as row_count,
        fields."currencyCode" as currency,
        fields."timeZone" as time_zone,
        fields."emptyReason" as empty_reason,

        coalesce(fields."subjectToThresholding", false) as is_thresholded,
        coalesce(fields."samplingMetadatas", '[]') not in ('[]', 'null') as is_sampled,
        coalesce(fields."dataLossFromOtherRow", false) as has_data_loss,

        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
