{{ union_channels('order_lines') }}
