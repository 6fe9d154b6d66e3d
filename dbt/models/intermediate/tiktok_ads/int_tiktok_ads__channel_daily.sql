{{ ad_channel_daily('tiktok_ads') }}
