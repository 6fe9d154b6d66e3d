{{ union_channels('products') }}
