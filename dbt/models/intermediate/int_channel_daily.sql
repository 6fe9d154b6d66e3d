{{ union_channels('channel_daily', 'claim_channels') }}
