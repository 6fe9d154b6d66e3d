{{ union_channels('orders') }}
