"""How people sign in to a production installation. FAB reads this file; what is not here has FAB's default.

Users are added by an administrator. To let a company's identity provider sign people in instead, set
`AUTH_TYPE = AUTH_OAUTH` (from flask_appbuilder.const), `OAUTH_PROVIDERS`, and `AUTH_ROLES_MAPPING` from its groups to
FAB's roles: Admin for admins, Op for engineers, User for analysts and managers, Viewer for viewers. The user name that
the provider gives is the one that include/config/policy.yaml must name.
"""

from flask_appbuilder.const import AUTH_DB

AUTH_TYPE = AUTH_DB
AUTH_USER_REGISTRATION = False
AUTH_ROLE_PUBLIC = None
