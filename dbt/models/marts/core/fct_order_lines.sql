with

lines as (

    select scoped.* from {{ in_scope(ref('int_order_lines'), 'ordered_at') }} as scoped

),

merchants as (

    select * from {{ source('ops', 'merchants') }}

),

placed as (

    select
        lines.*,
        (lines.ordered_at at time zone merchants.time_zone)::date as date_day
    from lines
    inner join merchants on lines.merchant_id = merchants.merchant_id

),

final as (

    select
        placed.merchant_id,
        placed.date_day,
        placed.sales_channel,
        placed.order_id,
        placed.line_id,
        placed.product_id,
        placed.variant_id,
        {{ without_contacts('placed.sku') }} as sku,
        placed.product_name,
        placed.currency,
        placed.quantity::bigint as quantity,
        placed.unit_price,
        placed.gross_sales,
        placed.discounts,
        placed.tax as tax_charged,
        costs.unit_cost,
        round(placed.quantity * costs.unit_cost, 2) as cost_of_goods,
        placed.is_counted,
        placed.ordered_at,
        1 as metric_version
    from placed
    left join lateral (
        select known.unit_cost
        from {{ source('ops', 'product_costs') }} as known
        where
            known.merchant_id = placed.merchant_id
            and known.sku = placed.sku
            and known.valid_from <= placed.date_day
        order by known.valid_from desc
        limit 1
    ) as costs on true

)

select * from final
