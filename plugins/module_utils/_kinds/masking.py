# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Secrets in free-form configurations: where they stand, and what they look like.

The server masks some of them and leaves others in clear (API pages: trap 16 of ml-resources, section 7.3 of
identity-and-cluster), so everything that is shown passes through here.
"""

from __future__ import annotations

import functools
import re
import typing as t

from .._wire.errors import InvalidOption

MASK = "********"
"""What the server itself shows in place of a secret. It is a mask, never a value."""

SECRET_KEY = re.compile(
    r"password|passwd|passphrase|(^|[_-])pass$|secret$|secret[_-]?(access[_-]?)?key$|"
    r"(access|api|private|signing|encryption|account|webui|master|jwt)[_-]?key([_-]?id)?$|credentials?$|connection[_-]?string$|"
    r"(^|access|api|auth|bearer|github|gitlab|hf|hub|identity|personal|refresh|registry|service|session|webhook)[_-]?token$|"
    r"^auth$|(^|[_-])dsn$",
    re.IGNORECASE,
)
"""Keys whose value is a secret wherever they stand in a configuration of the product, but among hyperparameters, which name
such things as ``pad_token``. ``auth`` is Docker's name for user and password in base64; where it is a mapping (``scim.auth``),
its own keys decide."""

SECRET_NAME = re.compile(
    r"password|passwd|passphrase|(^|_)pass(_|$)|(?<=[a-z_])(?<!old)pwd|secret|(?<!max_)(?<!min_)(?<!num_)token(?!i[sz])|"
    r"credential|private.?key|access.?key|api.?key|signing.?key|auth(?!or(?!i[sz]ation))|connection.?string|cookie|jwt|"
    r"(^|_)(key|sas|dsn|pat)$",
    re.IGNORECASE,
)
"""Names of environment variables that are taken for secret."""

SECRET_TEXT = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:.*?-----END [A-Z ]*PRIVATE KEY-----|.*)|"
    r"\bv2\.(?:public|local)\.[\w-]{20,}(?:\.[\w-]+)?|\beyJ[\w-]{10,1024}+\.[\w-]{10,}+\.[\w-]*|"
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bAIza[\w-]{35}|\bya29\.[\w-]{20,}|\bgh[pousr]_\w{20,}|\bgithub_pat_\w{20,}|"
    r"\bglpat-[\w-]{20,}|\bxox[abeprs]-[\w-]{10,}|\bhf_\w{20,}|\bnpm_\w{30,}|\bpypi-[\w-]{20,}|"
    r"\b[sr]k_(?:live|test)_\w{16,}|\bsk-[\w-]{20,}",
    re.DOTALL,
)
"""Texts that are taken for secret whatever they are called: private keys and the token forms of well-known services. Linear in
the length of the text: a repetition that may fail after it has read on far is bounded and gives nothing back."""

SECRET_PART = re.compile(
    # the password of a URL
    r"(://[^\s/:@]*:)[^\s/]+(?=@)|"
    # a URL that is itself the right to post
    r"(\bhooks\.slack\.com/services/|\bdiscord(?:app)?\.com/api/webhooks/)[^\s\"']+|"
    # the signatures and keys in a URL's query and in Azure's connection strings
    r"([?&;](?:sig|key|token|X-(?:Amz|Goog)-(?:Signature|Security-Token))=|\b(?:AccountKey|SharedAccess(?:Key|Signature))=)"
    r"[^\s&;\"']+|"
    # what follows a name: an assignment, an option of a command, a header
    r"((?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?key|(?:access|api|auth)[_-]?token)[\"']?\s?=\s?[\"']?|"
    r"(?<=-)(?:password|secret|token|api-key|access-key)[ =][\"']?|\bBearer\s+|"
    # a shell's variable, unless its value comes from elsewhere
    r"(?-i:\b[A-Z][A-Z0-9_]*_(?:TOKEN|KEY)=)[\"']?(?!\$))[^\s,;&\"']+",
    re.IGNORECASE,
)
"""Secrets that are a part of a text, after something that tells what they are and is shown."""

SIGNS = (
    "://",
    "passw",
    "passphrase",
    "secret",
    "token",
    "key",
    "bearer",
    "sig=",
    "signature",
    "webhook",
    "slack",
    "-----begin",
    "v2.",
    "eyj",
    "akia",
    "asia",
    "aiza",
    "ya29",
    "gh",
    "glpat",
    "xox",
    "hf_",
    "npm_",
    "pypi",
    "k_",
    "sk-",
)
"""One of these is in each text, in lower case, that the two expressions above find something in. It is cheap to look for."""

ACCELERATORS = frozenset({"cpu", "cuda", "rocm", "gpu"})
"""What environment variables, as an alternative, are listed under."""

MASKED = re.compile(r"(?<!\*)\*{8}(?!\*)")


def masked(config: t.Any) -> t.Any:
    """Copy a configuration with each secret in it replaced by `MASK`; what is no secret stays as it is.

    :param config: plain data, such as a template's or an experiment's config.
    """
    return _masked(config, "", "")


# Where a value stands, as far as that matters to its masking; what is below such a place stands there too.
_SECRETS, _VARIABLES, _HYPERPARAMETERS = "secrets", "environment_variables", "hyperparameters"


def _masked(value: t.Any, name: str, place: str) -> t.Any:
    """Mask a value that has the key `name` and stands at `place`; lists stand where their items do."""
    if isinstance(value, dict):
        shown = {key: _masked(item, str(key), place or _place(name, key)) for key, item in value.items()}
        # Kubernetes writes an environment variable as {"name": ..., "value": ...}.
        if isinstance(value.get("name"), str) and value.get("value") and SECRET_NAME.search(value["name"]):
            shown["value"] = MASK
        return shown
    if isinstance(value, list):
        return [_masked(item, name, place) for item in value]
    if value is None or value == "":
        return value
    if place == _SECRETS:
        return MASK
    if isinstance(value, bool):
        return value
    if place == _VARIABLES:
        return _masked_variable(value, name)
    if place != _HYPERPARAMETERS and _is_secret_key(name):
        return MASK
    return masked_text(value) if isinstance(value, str) else value


def _place(parent: str, name: str) -> str:
    if name == _SECRETS:
        # data.secrets holds secrets under any names (API page ml-resources, section 3.1).
        return _SECRETS if parent == "data" else ""
    return name if name in {_VARIABLES, _HYPERPARAMETERS} else ""


def _masked_variable(value: t.Any, name: str) -> t.Any:
    """A value under ``environment_variables``: a ``NAME=value`` in a list, or the value of the variable `name`."""
    if name != _VARIABLES and name not in ACCELERATORS and SECRET_NAME.search(name):
        return MASK
    if not isinstance(value, str):
        return value
    variable, equals, content = value.partition("=")
    return f"{variable}={MASK}" if equals and content and SECRET_NAME.search(variable) else masked_text(value)


@functools.lru_cache(maxsize=4096)
def _is_secret_key(name: str) -> bool:
    return SECRET_KEY.search(name) is not None


def masked_text(text: str) -> str:
    """Mask what is a secret by its form in a text: keys, tokens, passwords in URLs and after their names."""
    lower = text.lower()
    if not any(sign in lower for sign in SIGNS):
        return text
    text = SECRET_TEXT.sub(MASK, text)
    return SECRET_PART.sub(lambda found: f"{found[found.lastindex or 0]}{MASK}", text)


def mask_places(value: t.Any, path: str = "") -> list[str]:
    """Where a declared value has a mask somewhere in it, which is not a value and would be stored as one.

    :returns: such as ``["environment.registry_auth.password", "environment.environment_variables[0]"]``.
    """
    if isinstance(value, dict):
        below = [(f"{path}.{name}" if path else str(name), item) for name, item in value.items()]
        return [found for place, item in below for found in mask_places(item, place)]
    if isinstance(value, list):
        return [place for index, item in enumerate(value) for place in mask_places(item, f"{path}[{index}]")]
    return [path] if isinstance(value, str) and MASKED.search(value) else []


def holds_mask(value: t.Any) -> bool:
    """Whether a declared value has a mask somewhere in it."""
    return bool(mask_places(value))


KEEP = "<keep>"
"""Declares, inside a free-form value, that what is live at this place stays: how an export stands in for a secret."""


def kept(declared: t.Any, live: t.Any, option: str) -> t.Any:
    """The declared value with what is live in each place that says `KEEP`.

    :param option: where `declared` stands, for the failure's text.
    :raises InvalidOption: nothing is live in such a place.
    """
    if declared == KEEP:
        if live is None:
            raise InvalidOption(f"{option} is {KEEP}: there is nothing to keep, give the value itself.")
        return live
    if isinstance(declared, dict):
        inner = live if isinstance(live, dict) else {}
        return {name: kept(value, inner.get(name), f"{option}.{name}") for name, value in declared.items()}
    if isinstance(declared, list):
        items = live if isinstance(live, list) else []
        return [
            kept(value, items[index] if index < len(items) else None, f"{option}[{index}]")
            for index, value in enumerate(declared)
        ]
    return declared


def with_keeps(value: t.Any) -> t.Any:
    """A live free-form value with `KEEP` in place of each secret, as an export declares it."""
    return _keeps(value, masked(value))


def _keeps(value: t.Any, shown: t.Any) -> t.Any:
    if isinstance(value, dict) and isinstance(shown, dict):
        return {name: _keeps(item, shown[name]) for name, item in value.items()}
    if isinstance(value, list) and isinstance(shown, list):
        return [_keeps(item, shown[index]) for index, item in enumerate(value)]
    return value if value == shown else KEEP
