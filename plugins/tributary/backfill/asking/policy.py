"""Who may run what: read from its file, checked, and applied to one request."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast

import yaml

from tributary.backfill.errors import Refused
from tributary.warehouse.settings.merchants import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

Role = Literal["analyst", "engineer", "manager"]
ENVIRONMENTS = ("development", "staging", "production")

_WIDTHS = ("analyst", "engineer")
_THRESHOLDS = ("approval_beyond", "incident_beyond")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
_AUTOMATIC = "scheduled and automatic triggers are always refused"


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one environment, in days; None: there is no limit."""

    analyst: int | None
    engineer: int | None
    approval_beyond: int | None = None
    incident_beyond: int | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """The file, as it was read."""

    engineers: tuple[str, ...]
    managers: tuple[str, ...]
    environments: Mapping[str, Limits]
    announce_to: tuple[str, ...] = ()

    def role(self, user: str | None) -> Role:
        """Whoever is not named is an analyst."""
        if user in self.managers:
            return "manager"
        return "engineer" if user in self.engineers else "analyst"

    def approvers(self, requester: str | None) -> list[str]:
        """The managers, but never who asks."""
        return [manager for manager in self.managers if manager != requester]


@dataclass(frozen=True, slots=True)
class Decision:
    """It may begin."""

    role: Role
    needs_approval: bool


def check_trigger(user: str | None, run_type: str) -> str:
    """The person who asks; raises Refused when it is none."""
    remedy = "Trigger it yourself: by the form, the REST API or the CLI"
    if run_type != "manual":
        raise Refused(_AUTOMATIC, f"this run is {run_type.replace('_', ' ')!r}, not 'manual'", f"{remedy}.")
    if not user:
        raise Refused(_AUTOMATIC, "nobody's name is on this run", f"{remedy}, signed in.")
    return user


def decide(
    policy: Policy,
    environment: str,
    user: str | None,
    run_type: str,
    days: int,
    incident: str | None,
    *,
    is_dry_run: bool = False,
) -> Decision:
    """Whether it may begin, and whether a manager has to approve it; raises Refused with the rule that forbids it."""
    user, limits = check_trigger(user, run_type), policy.environments[environment]
    role, asked = policy.role(user), f"{user!r} asked for {_days(days)}"
    widest = limits.analyst if role == "analyst" else limits.engineer
    if widest is not None and days > widest:
        who = "an analyst" if role == "analyst" else "an engineer or a manager"
        wider = role == "analyst" and (limits.engineer is None or limits.engineer > widest)
        ask = "ask an engineer" if wider else "have the policy changed (include/config/policy.yaml)"
        if not widest:
            raise Refused(f"in {environment} {who} may run nothing, dry runs included", asked, f"{ask.capitalize()}.")
        rule = f"in {environment} {who} may run up to {_days(widest)}"
        raise Refused(rule, asked, f"Ask for {_days(widest)} at a time, or {ask}.")
    if is_dry_run:
        return Decision(role, needs_approval=False)
    beyond = limits.incident_beyond
    if beyond is not None and days > beyond and not incident:
        rule = f"in {environment} more than {_days(beyond)} need an incident reference"
        raise Refused(rule, f"{asked}, and incident is empty", "Fill in incident, such as INC-4711.")
    beyond = limits.approval_beyond
    if beyond is None or days <= beyond:
        return Decision(role, needs_approval=False)
    if not policy.approvers(user):
        rule = f"in {environment} more than {_days(beyond)} need the approval of a manager who did not ask for them"
        remedy = "Name one under roles.managers in include/config/policy.yaml, or let somebody else ask."
        raise Refused(rule, f"{asked}, and there is no other manager", remedy)
    return Decision(role, needs_approval=True)


def read_environment(variables: Mapping[str, str]) -> str:
    """The environment that TRIBUTARY_ENVIRONMENT names; production, where the rules are strictest, when it does not."""
    name = variables.get("TRIBUTARY_ENVIRONMENT") or "production"
    if name not in ENVIRONMENTS:
        raise SettingsError(f"TRIBUTARY_ENVIRONMENT is {name!r}; it must be one of {', '.join(ENVIRONMENTS)}")
    return name


def load_policy(path: Path) -> Policy:
    """Read the policy file; raises SettingsError at its first mistake."""
    try:
        document = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise SettingsError(f"{path}: the file is missing; without it nobody may run a backfill") from None
    except yaml.YAMLError as error:
        raise SettingsError(f"{path}: this is no YAML: {' '.join(str(error).split())}") from None
    _keys(f"{path}", document, {"roles", "environments"}, {"announce_to"})
    roles, environments = document["roles"], document["environments"]
    _keys(f"{path}: roles", roles, {"engineers", "managers"})
    engineers, managers = (_users(f"{path}: roles", roles, key) for key in ("engineers", "managers"))
    if twice := sorted({*engineers} & {*managers}):
        raise SettingsError(
            f"{path}: roles: {twice[0]!r} is among the engineers and the managers; "
            "keep the name in one of them (managers may do what engineers may)"
        )
    _keys(f"{path}: environments", environments, {*ENVIRONMENTS})
    return Policy(
        engineers,
        managers,
        {name: _limits(f"{path}: environments: {name}", entry) for name, entry in environments.items()},
        _addresses(f"{path}: announce_to", document.get("announce_to") or []),
    )


def _keys(where: str, entry: Any, needed: set[str], optional: set[str] | None = None) -> None:
    known = needed | (optional or set())
    if not isinstance(entry, dict):
        raise SettingsError(f"{where}: is {entry!r}; it must be a mapping of {', '.join(sorted(known))}")
    if unknown := sorted(map(str, set(entry) - known)):
        raise SettingsError(f"{where}: unknown key {unknown[0]!r}; known are {', '.join(sorted(known))}")
    if missing := sorted(needed - set(entry)):
        raise SettingsError(f"{where}: {missing[0]!r} is missing; it needs {', '.join(sorted(needed))}")


def _users(where: str, roles: Any, key: str) -> tuple[str, ...]:
    users = roles[key]
    if not isinstance(users, list):
        raise SettingsError(f"{where}: {key} is {users!r}; it must be a list of user names, such as [ann, ben]")
    for user in users:
        if not isinstance(user, str) or not user.strip():
            raise SettingsError(f"{where}: {key} has {user!r}; it must be a text (quote it if YAML reads it otherwise)")
    return tuple(dict.fromkeys(users))


def _limits(where: str, entry: Any) -> Limits:
    _keys(where, entry, {*_WIDTHS}, {*_THRESHOLDS})
    for key, days in entry.items():
        if days != "any" and (isinstance(days, bool) or not isinstance(days, int) or days < 0):
            raise SettingsError(f"{where}: {key} is {days!r}; it must be `any` or a whole number of days, 0 or more")
    return Limits(**{key: None if days == "any" else cast("int", days) for key, days in entry.items()})


def _addresses(where: str, addresses: Any) -> tuple[str, ...]:
    if not isinstance(addresses, list):
        raise SettingsError(f"{where}: is {addresses!r}; it must be a list such as [team@shop.example]")
    for address in addresses:
        if not isinstance(address, str) or not _EMAIL.fullmatch(address):
            raise SettingsError(f"{where}: has {address!r}; it must be an e-mail address such as team@shop.example")
    return tuple(addresses)


def _days(days: int) -> str:
    return f"{days} day" if days == 1 else f"{days} days"
