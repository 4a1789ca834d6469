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

import re
import typing as t

MASK = "********"
"""What the server itself shows in place of a secret. It is a mask, never a value."""

SECRET_KEYS = frozenset(
    {
        "access_key",
        "secret_key",
        "connection_string",
        "credential",
        "credentials",
        "signing_key",
        "client_secret",
        "password",
        "auth",
        "identitytoken",
        "identity_token",
        "registrytoken",
        "registry_token",
        "auth_token",
        "access_token",
        "private_key",
        "jwt_key",
        "segment_master_key",
        "segment_webui_key",
    }
)
"""Keys whose text is a secret wherever they stand in a configuration of the product. ``auth`` is Docker's name for user and
password in base64; where it is a mapping (``scim.auth``), its own keys decide."""

SECRET_NAME = re.compile(
    r"pass(wor)?d|passphrase|pwd|secret|token|credential|private.?key|access.?key|api.?key|signing.?key|auth(?!or)|connection.?string|"
    r"(^|_)(key|sas|dsn|pat)$",
    re.IGNORECASE,
)
"""Names of environment variables that are taken for secret."""

SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|\bv2\.public\.[\w-]{20}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_\w{20}|\bgithub_pat_\w{20}|"
    r"\bglpat-[\w-]{20}|\bxox[abprs]-[\w-]{10}|\bhf_\w{20}|\bsk-[\w-]{20}|\beyJ[\w-]{10,}\.[\w-]{10,}\.|\bAccountKey=",
)
"""Values that are taken for secret whatever they are called: private keys and the token forms of well-known services."""

URL_PASSWORD = re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)", re.IGNORECASE)


def masked(config: t.Any) -> t.Any:
    """Copy a configuration with each secret in it replaced by `MASK`; what is no secret stays as it is.

    :param config: plain data, such as a template's or an experiment's config.
    """
    return _masked(config, ())


def _masked(value: t.Any, path: tuple[str, ...]) -> t.Any:
    if isinstance(value, dict):
        # Kubernetes writes an environment variable as {"name": ..., "value": ...}.
        if (
            isinstance(value.get("name"), str)
            and isinstance(value.get("value"), str)
            and SECRET_NAME.search(value["name"])
        ):
            return {**value, "value": MASK}
        return {name: _masked(item, (*path, str(name))) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, path) for item in value]
    if _is_secret_place(path) and value not in (None, ""):
        return MASK
    if not isinstance(value, str):
        return value
    if "environment_variables" in path:
        return _masked_variable(value, path)
    return masked_text(value)


def _is_secret_place(path: tuple[str, ...]) -> bool:
    if not path:
        return False
    # data.secrets holds secrets under any names (API page ml-resources, section 3.1).
    if len(path) > 2 and path[-3:-1] == ("data", "secrets") or path[:2] == ("data", "secrets"):
        return True
    return path[-1].lower() in SECRET_KEYS and path[0] != "hyperparameters"


def _masked_variable(value: str, path: tuple[str, ...]) -> str:
    """One ``NAME=value``; the accelerators' lists stand one level below ``environment_variables``."""
    if path[-1] not in {"environment_variables", "cpu", "cuda", "rocm", "gpu"}:
        return MASK if SECRET_NAME.search(path[-1]) else masked_text(value)
    name, equals, content = value.partition("=")
    if equals and content and SECRET_NAME.search(name):
        return f"{name}={MASK}"
    return masked_text(value)


def masked_text(text: str) -> str:
    """Mask a text that is a secret by its form, and the passwords of URLs in it."""
    if SECRET_VALUE.search(text):
        name, equals, _content = text.partition("=")
        return f"{name}={MASK}" if equals and name.isidentifier() else MASK
    return URL_PASSWORD.sub(rf"\g<before>{MASK}", text)


def holds_mask(value: t.Any) -> bool:
    """Whether a declared value has a mask somewhere in it, which is not a value and would be stored as one."""
    if isinstance(value, dict):
        return any(holds_mask(item) for item in value.values())
    if isinstance(value, list):
        return any(holds_mask(item) for item in value)
    return isinstance(value, str) and MASK in value
