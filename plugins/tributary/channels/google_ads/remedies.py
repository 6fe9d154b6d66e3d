"""What a person does about each refusal of Google Ads, by its code."""

from __future__ import annotations

from tributary.channels.google_ads.token import NEW_CONSENT

FIELDS = "Check the connection's fields, above all customer_ids and login_customer_id."
UPDATE = (
    "The query is written for v26 of the API. If Google has switched that version off, or answers another one, the "
    "channel has to be brought to the new version."
)
DISABLED = (
    "The account was cancelled or is not set up yet. Set it up or reactivate it in Google Ads, or take it out of the "
    "connection's field customer_ids; what was read of it stays."
)
MANAGER = (
    "It is a manager account, which has no campaigns of its own. Put the ids of its client accounts into the "
    "connection's field customer_ids, and its own into login_customer_id."
)
_NO_SUCH_ACCOUNT = "Check the connection's field customer_ids: Google Ads shows an account's number at the top right."
_NO_PERMISSION = (
    "Give the Google user who authorised the app access to the account; if the user reaches it through a manager "
    "account, put the manager's id into the connection's field login_customer_id, else leave that field empty."
)
_PROJECT = (
    "In the Google Cloud console, in the project of the OAuth client, open the Google Ads API's overview page and "
    "apply for Explorer access or more: Test access reaches test accounts only."
)
_WITHOUT = (
    "Google ended developer tokens: leave the connection's field developer_token empty, and give the OAuth client's "
    "Google Cloud project access to the Google Ads API instead."
)
_ENABLE = "Enable the Google Ads API in the Google Cloud project that the OAuth client is of."
_LOGIN = "Check the connection's field login_customer_id: it is the manager account's number, or empty."
_VERIFY = "The Google user who authorised the app has to turn it on, and then to authorise the app again."

REMEDIES = {
    "OAUTH_TOKEN_EXPIRED": "A new access token was refused too. " + NEW_CONSENT,
    "OAUTH_TOKEN_INVALID": NEW_CONSENT,
    "OAUTH_TOKEN_REVOKED": NEW_CONSENT,
    "OAUTH_TOKEN_DISABLED": NEW_CONSENT,
    "GOOGLE_ACCOUNT_DELETED": NEW_CONSENT,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": NEW_CONSENT,
    "TWO_STEP_VERIFICATION_NOT_ENROLLED": _VERIFY,
    "ADVANCED_PROTECTION_NOT_ENROLLED": _VERIFY,
    "NOT_ADS_USER": "The Google user who authorised the app has no Google Ads account. " + _NO_PERMISSION,
    "CUSTOMER_NOT_FOUND": _NO_SUCH_ACCOUNT,
    "CLIENT_CUSTOMER_ID_INVALID": _NO_SUCH_ACCOUNT,
    "INVALID_CUSTOMER_ID": _NO_SUCH_ACCOUNT,
    "USER_PERMISSION_DENIED": _NO_PERMISSION,
    "INVALID_LOGIN_CUSTOMER_ID": _LOGIN,
    "INVALID_LOGIN_CUSTOMER_ID_SERVING_CUSTOMER_ID_COMBINATION": _LOGIN,
    "LOGIN_CUSTOMER_ID_PARAMETER_MISSING": _LOGIN,
    "CUSTOMER_NOT_ENABLED": DISABLED,
    "REQUESTED_METRICS_FOR_MANAGER": MANAGER,
    "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION": _PROJECT,
    "ACTION_NOT_PERMITTED": _PROJECT,
    "DEVELOPER_TOKEN_NOT_APPROVED": _WITHOUT,
    "DEVELOPER_TOKEN_NOT_ON_ALLOWLIST": _WITHOUT,
    "DEVELOPER_TOKEN_PROHIBITED": _WITHOUT,
    "DEVELOPER_TOKEN_INVALID": _WITHOUT,
    "DEVELOPER_TOKEN_PARAMETER_MISSING": (
        "Google asks for a developer token here: put it into the connection's field developer_token."
    ),
    "PROJECT_DISABLED": _ENABLE,
    "SERVICE_DISABLED": _ENABLE,
    "MISSING_TOS": "Accept the terms of service on the Google Ads API's overview page in the Google Cloud console.",
    "METRIC_ACCESS_DENIED": _PROJECT,
}
