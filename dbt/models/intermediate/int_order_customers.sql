{{ union_channels('order_customers') }}
