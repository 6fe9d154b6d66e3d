{{ ad_account_days('tiktok_ads', ['campaign_days', 'gmv_max_days']) }}
