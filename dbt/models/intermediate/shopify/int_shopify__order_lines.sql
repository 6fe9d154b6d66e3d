-- Units removed by an edit earn nothing; units that were returned did, and their refund takes it back. The vendor's
-- line discounts and taxes still include removed units, so both are cut to the kept share. Multiplying before
-- dividing keeps half a cent exact.
with

lines as (

    select
        *,
        current_quantity + refunded_quantity as kept_quantity
    from {{ ref('stg_shopify__order_lines') }}

),

charged as (

    select
        *,
        unit_price * kept_quantity as price,
        coalesce(round(discount_amount * kept_quantity / nullif(quantity, 0), 2), 0.00) as discount,
        coalesce(round(tax_amount * kept_quantity / nullif(quantity, 0), 2), 0.00) as tax
    from lines

),

ex_tax as (

    select
        *,
        case when has_taxes_included then round(discount / (1 + tax_rate), 2) else discount end as discounts
    from charged

),

final as (

    select
        ex_tax.merchant_id,
        'shopify' as sales_channel,
        ex_tax.order_id,
        ex_tax.line_id,
        ex_tax.product_id,
        ex_tax.variant_id,
        ex_tax.sku,
        ex_tax.product_name,
        ex_tax.currency,
        ex_tax.kept_quantity as quantity,
        ex_tax.unit_price,
        case
            when ex_tax.has_taxes_included then ex_tax.price - ex_tax.discount - ex_tax.tax + ex_tax.discounts
            else ex_tax.price
        end as gross_sales,
        ex_tax.discounts,
        ex_tax.tax,
        ex_tax.mirrors_channel,
        ex_tax.mirrors_order_id,
        {{ shopify_is_counted('ex_tax') }} as is_counted,
        ex_tax.ordered_at
    from ex_tax

)

select * from final
