{{ ad_account_days('meta_ads', ['campaign_days']) }}
