-- A touch that is credited happened, to the same merchant, and not after the order.

select
    credited.merchant_id,
    credited.order_id,
    credited.touchpoint_id
from {{ ref('fct_attribution_credits') }} as credited
left join {{ ref('int_touchpoints') }} as touches
    on
        credited.merchant_id = touches.merchant_id
        and credited.touchpoint_id = touches.touchpoint_id collate "default"
where
    credited.touchpoint_id is not null
    and (touches.occurred_at is distinct from credited.occurred_at or credited.occurred_at > credited.ordered_at)
