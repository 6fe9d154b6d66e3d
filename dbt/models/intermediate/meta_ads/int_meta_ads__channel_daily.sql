{{ ad_channel_daily('meta_ads') }}
