{{ union_channels('refunds') }}
