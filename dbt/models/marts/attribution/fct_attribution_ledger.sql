-- Why each order is credited to what it is: every touch that was looked at, and the first rule that rejects it, if any.
-- The latest touch that is kept is the last click.
with

touches as (

    select * from {{ ref('int_order_touches') }}

),

-- what a touch is and when it happened, whatever else the order has
alone as (

    select
        *,
        case
            when occurred_at > ordered_at then 'after_order'
            when not is_in_window then 'too_old'
            when not is_native and bool_or(is_native) over (partition by order_number) then 'native_sale'
        end as rejected_alone,
        is_direct or is_excluded as is_passed_over
    from touches

),

-- what is left of it beside the others
compared as (

    select
        *,
        first_value(touchpoint_id) over (
            partition by order_number, rejected_alone is null, contact_id
            order by is_passed_over asc, occurred_at desc, priority asc, touchpoint_id asc
        ) as same_visit_as,
        bool_or(rejected_alone is null and not is_passed_over and not is_fallback) over (
            partition by order_number
        ) as has_click
    from alone

),

judged as (

    select
        *,
        case
            when rejected_alone is not null then rejected_alone
            when same_visit_as <> touchpoint_id then 'same_visit'
            when is_direct then 'direct'
            when is_excluded then 'excluded_channel'
            when led_to is not null then 'same_click'
            when is_fallback and has_click then 'click_known'
        end as rejected
    from compared

),

counted as (

    select
        *,
        rejected is null as is_kept,
        count(*) filter (where rejected is null) over (
            partition by order_number
            order by occurred_at asc, priority desc, touchpoint_id desc
        ) as step,
        count(*) filter (where rejected is null) over (partition by order_number) as steps
    from judged

),

final as (

    select
        merchant_id,
        date_day,
        sales_channel,
        order_id,
        touchpoint_id,
        touch_channel,
        priority,
        occurred_at,
        ordered_at,
        source,
        medium,
        campaign,
        channel,
        is_paid,
        is_direct,
        resolved_by,
        is_kept,
        case
            when rejected is not null then rejected
            when is_native then 'native'
            when is_fallback then 'ga4_session'
            else 'click'
        end as rule,
        case when is_kept then step end::integer as step,
        case when is_kept then steps end::integer as steps,
        is_kept and step = steps as is_last_click,
        case rejected when 'same_visit' then same_visit_as when 'same_click' then led_to end as same_as,
        1 as metric_version
    from counted

)

select * from final
