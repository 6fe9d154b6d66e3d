{{ union_channels('customer_orders') }}
