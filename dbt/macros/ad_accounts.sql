{#- The account that every payload of advertising names, unpacked. -#}
{% macro ad_account(payload) -%}
    jsonb_to_record({{ payload }} -> 'account') as account (
        id text,
        name text,
        currency text,
        time_zone text
    )
{%- endmacro %}

{#- The same by the names of this project. -#}
{% macro ad_account_columns(fields) -%}
    {{ fields }}.id as account_id,
    {{ without_contacts(fields ~ '.name') }} as account_name,
    {{ fields }}.currency as account_currency,
    {{ fields }}.time_zone as account_time_zone
{%- endmacro %}

{#- The days of ad accounts that were read, whether or not a campaign ran; `reports` are the channel's streams. Their id
    is the date and the account alone, so that a day is found by raw's key. -#}
{% macro ad_account_days(channel, reports) -%}
with

source as (

    {%- for report in reports %}
    select
        '{{ report }}' as report,
        merchant_id,
        record_id,
        event_at,
        api_version,
        payload
    from {{ source('raw', channel ~ '_' ~ report) }}
    where record_id not like '%/%/%'
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
        account.*
    from source
    inner join lateral {{ ad_account('source.payload') }} on true

),

final as (

    select
        fields.merchant_id,
        fields.record_id,
        fields.report,
        {{ ad_account_columns('fields') }},

        fields.event_at as measured_at,
        fields.api_version
    from fields

)

select * from final
{%- endmacro %}
