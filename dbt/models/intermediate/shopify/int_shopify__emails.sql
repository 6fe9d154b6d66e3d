{{ shopify_emails(ref('stg_shopify__order_identities')) }}
