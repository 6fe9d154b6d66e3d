{{ ad_account_days('google_ads', ['campaign_days']) }}
