{{ ad_channel_daily('google_ads') }}
