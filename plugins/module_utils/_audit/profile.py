# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Which controls an audit judges, and by which thresholds."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from .._kinds.lookup import nearest
from .._wire.errors import InvalidOption
from .control import CRITICAL, HIGH, MEDIUM, Control

GOV_02 = "GOV-02"
"""The control of waivers that are expired or unused."""


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A threshold or a site's list.

    :ivar default: its value where nobody sets it; None for what only the site can know.
    :ivar type: ``int``, ``str``, ``bool`` or ``list`` (of texts).
    :ivar about: one sentence for the documentation.
    :ivar choices: the values that a text may have, or None for any.
    """

    default: t.Any
    type: type
    about: str
    choices: tuple[str, ...] | None = None


PARAMETERS: dict[str, Parameter] = {
    "allowed_registries": Parameter(None, list, "Registries, or parts of them, that images may come from."),
    "allowed_webhook_hosts": Parameter(None, list, "Hosts that webhooks may post to."),
    "allowed_storage_paths": Parameter(None, list, "Host paths that checkpoints may be kept on."),
    "allowed_open_pools": Parameter(None, list, "Resource pools that may be open to every workspace."),
    "allowed_bind_mounts": Parameter(None, list, "Host paths that may be mounted writable."),
    "allowed_capabilities": Parameter(None, list, "Capabilities that containers may add."),
    "allowed_devices": Parameter(None, list, "Host devices that containers may use."),
    "allowed_role_holders": Parameter(
        None, list, "Users and groups that may hold Editor or an administrator's role in the whole cluster."
    ),
    "allowed_admin_tokens": Parameter(None, list, "Administrators that may have live tokens, such as the auditor."),
    "allowed_admin_flags": Parameter(None, list, "Users whose admin flag and role may differ under RBAC."),
    "service_users": Parameter(None, list, "Users that are no persons."),
    "break_glass_users": Parameter(None, list, "Local users that are kept for the day that single sign-on fails."),
    "required_labels": Parameter(None, list, "Labels that each experiment must have."),
    "required_invariants": Parameter(
        None, list, "Dotted paths that the invariant config of each experiment policy must set."
    ),
    "minimum_version": Parameter(None, str, "The oldest version of the master that is accepted."),
    "image_pinning": Parameter("tag", str, "How images must be pinned.", ("tag", "digest")),
    "tls_terminated": Parameter(False, bool, "Whether a proxy in front of the master ends TLS."),
    "telemetry_accepted": Parameter(False, bool, "Whether telemetry may leave the site."),
    "token_max_days": Parameter(90, int, "How long an access token may live."),
    "token_rotation_days": Parameter(60, int, "How old a live access token may be."),
    "token_description_pattern": Parameter(
        r"\S+/\S.*", str, "Regular expression that the whole description of a token must match."
    ),
    "max_tokens_per_user": Parameter(3, int, "How many live tokens a user may have."),
    "min_admins": Parameter(2, int, "How many active administrators there must be."),
    "max_admins": Parameter(4, int, "How many active administrators there may be."),
    "dormant_days": Parameter(45, int, "How long an active user may go without a login."),
    "experiment_max_days": Parameter(14, int, "How long an experiment may run."),
    "experiment_recent_days": Parameter(90, int, "How long ago an experiment counts as recent."),
    "paused_max_days": Parameter(30, int, "How long an experiment may be paused."),
    "deleting_max_days": Parameter(1, int, "How long a deletion may take."),
    "interactive_max_hours": Parameter(48, int, "How long a notebook, shell or TensorBoard may run."),
    "log_retention_days": Parameter(90, int, "How long trial logs must be kept."),
    "max_retention_days": Parameter(None, int, "How long trial logs may be kept."),
    "archived_checkpoint_gib": Parameter(None, int, "How much an archived experiment's checkpoints may hold, in GiB."),
    "checkpoint_budget_gib": Parameter(None, int, "How much all checkpoints together may hold, in GiB."),
    "certificate_min_days": Parameter(30, int, "How long the master's certificate must still be valid."),
    "rsa_min_bits": Parameter(3072, int, "How long an RSA key for shells must be."),
    "signing_key_min_length": Parameter(32, int, "How many characters the webhooks' signing key must have."),
}
"""All parameters, with the defaults of profile ``standard``."""


@dataclasses.dataclass(frozen=True)
class Profile:
    """A selection of controls with thresholds of its own.

    :ivar includes: whether a control belongs to it.
    :ivar parameters: defaults that differ from those of `PARAMETERS`.
    """

    includes: t.Callable[[Control], bool]
    parameters: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


CIS_IG1 = frozenset(
    ("1.1", "2.2", "3.2", "3.3", "3.4", "3.5", "4.1", "4.3", "4.7", "5.1", "5.2", "5.3", "5.4", "6.2", "7.4", "8.2")
)
"""Safeguards of implementation group 1 of the CIS Controls v8 that the catalogue has evidence for."""

ML_AREAS = frozenset({"EXP", "MOD", "CKP", "TPL", "POL", "TSK", "GOV"})

PROFILES: dict[str, Profile] = {
    "standard": Profile(lambda one: one.severity in (CRITICAL, HIGH, MEDIUM)),
    "strict": Profile(
        lambda one: True,
        {"image_pinning": "digest", "token_max_days": 30, "token_rotation_days": 20, "experiment_max_days": 7},
    ),
    "cis8-ig1": Profile(lambda one: bool(CIS_IG1.intersection(one.mapping["cis"]))),
    "ml-governance": Profile(lambda one: one.id.partition("-")[0] in ML_AREAS or one.id == "IAM-09"),
}


class Parameters:
    """The parameters in force, as attributes.

    :ivar unset: the names that were asked for and that nobody has set.
    """

    def __init__(self, values: dict[str, t.Any]) -> None:
        self._values = values
        self.unset: set[str] = set()

    def __getattr__(self, name: str) -> t.Any:
        values = self.__dict__["_values"]
        if name not in values:
            raise AttributeError(name)
        if values[name] is None:
            self.unset.add(name)
        return values[name]

    def values(self) -> dict[str, t.Any]:
        """All values by name."""
        return dict(self._values)


def chosen_parameters(profile: str, given: t.Mapping[str, t.Any]) -> Parameters:
    """The parameters of a profile with what the task gives in their place.

    :raises InvalidOption: an unknown one, or a value of another type.
    """
    values = {name: parameter.default for name, parameter in PARAMETERS.items()}
    values |= PROFILES[profile].parameters
    for name, value in given.items():
        if name not in PARAMETERS:
            raise InvalidOption(f"parameters has {name!r}: there is no such parameter.{nearest(name, PARAMETERS)}")
        if value is not None:
            values[name] = _checked(name, PARAMETERS[name], value)
    if values["min_admins"] > values["max_admins"]:
        raise InvalidOption(
            f"parameters.min_admins is {values['min_admins']}, which is more than max_admins ({values['max_admins']})."
        )
    return Parameters(values)


def _checked(name: str, parameter: Parameter, value: t.Any) -> t.Any:
    if parameter.type is list:
        if isinstance(value, list) and all(isinstance(item, (str, int, float)) for item in value):
            return [str(item) for item in value]
        raise InvalidOption(f"parameters.{name} is {value!r}: it must be a list of texts.")
    if parameter.type is bool:
        if isinstance(value, bool):
            return value
        raise InvalidOption(f"parameters.{name} is {value!r}: it must be true or false.")
    if parameter.type is int:
        # A template gives numbers as texts.
        try:
            number = None if isinstance(value, bool) else int(str(value))
        except ValueError:
            number = None
        if number is None or number < 0:
            raise InvalidOption(f"parameters.{name} is {value!r}: it must be a whole number of 0 or more.")
        return number
    text = str(value)
    if parameter.choices is not None and text not in parameter.choices:
        raise InvalidOption(f"parameters.{name} is {text!r}: it must be {' or '.join(parameter.choices)}.")
    if name == "minimum_version" and not re.fullmatch(r"\d+(\.\d+){0,2}", text):
        raise InvalidOption(f"parameters.{name} is {text!r}: it must be a version, as in 0.38.1.")
    if name.endswith("_pattern"):
        try:
            re.compile(text)
        except re.error as error:
            raise InvalidOption(f"parameters.{name} is {text!r}: it is no regular expression ({error}).") from error
    return text


def chosen_controls(
    profile: str,
    catalogue: t.Mapping[str, Control],
    custom: t.Sequence[Control],
    *,
    only: t.Sequence[str] | None,
    exclude: t.Sequence[str],
    waives: bool,
) -> list[Control]:
    """The controls to judge, sorted by id.

    :param only: ids that stand in place of the profile's selection, custom ones included; None leaves it to the profile, and
        takes all custom ones.
    :param exclude: ids to leave out.
    :param waives: whether waivers are given: then they are judged too, whatever else is.
    :raises InvalidOption: an id that there is not.
    """
    known = {**catalogue, **{one.id: one for one in custom}}
    for option, ids in (("controls", only or ()), ("exclude", exclude)):
        for number in ids:
            if number not in known:
                raise InvalidOption(f"{option} has {number!r}: there is no such control.{nearest(number, known)}")
    if only is None:
        found = [one for one in known.values() if one.custom or PROFILES[profile].includes(one)]
    else:
        found = [known[number] for number in dict.fromkeys(only)]
    chosen = {one.id: one for one in found if one.id not in exclude}
    if waives:
        chosen[GOV_02] = catalogue[GOV_02]
    return [chosen[number] for number in sorted(chosen)]
