# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The connection options: what they are, where they come from, and what they must be."""

from __future__ import annotations

import dataclasses
import os
import typing as t
from urllib.parse import SplitResult, urlsplit, urlunsplit

from .errors import InvalidOption

CONNECTION_SPEC: dict[str, dict[str, t.Any]] = {
    "master": {"type": "str"},
    "auth_username": {"type": "str"},
    "auth_password": {"type": "str", "no_log": True},
    "auth_token": {"type": "str", "no_log": True},
    "ca_cert": {"type": "path"},
    "validate_certs": {"type": "bool"},
    "cert_name": {"type": "str"},
    "timeout": {"type": "float", "default": 30.0},
    "retries": {"type": "int", "default": 3},
}
"""Ansible's argument spec of the options that every module has. The environment is read in `Connection.resolve`, not by
fallbacks, because credentials given as options go before any from the environment, whatever their form."""

TIMEOUT_MAX = 86400.0
"""Seconds. No call takes a day, and what is far beyond (``.inf``, ``.nan``) no socket can wait for."""

ENVIRONMENT_PORT = 8080
"""The port of a master named without a scheme, as the product's own CLI reads it."""


@dataclasses.dataclass(frozen=True)
class Connection:
    """How to reach one master and as whom.

    :ivar master: scheme, host, port and path prefix, without a trailing slash.
    :ivar username: with `password` (which may be empty), or None.
    :ivar token: an access token or session token, or None. It goes before user and password.
    :ivar verify: True, False, or the path of a file with trusted certificates (PEM).
    :ivar cert_name: the name that the certificate must carry, or None for the host's.
    :ivar timeout: seconds, per try, to connect and between two bytes of the answer; the whole answer may take a few times that.
    :ivar retries: further tries of a call.
    """

    master: str
    username: str | None
    password: str | None = dataclasses.field(repr=False)
    token: str | None = dataclasses.field(repr=False)
    verify: bool | str
    cert_name: str | None
    timeout: float
    retries: int

    @classmethod
    def resolve(cls, options: t.Mapping[str, t.Any], environ: t.Mapping[str, str] | None = None) -> Connection:
        """Read the connection out of a task's options and the environment.

        :param options: validated options, at least those of `CONNECTION_SPEC`.
        :param environ: the environment, by default this process's.
        :raises InvalidOption: a value is missing, contradictory or unusable.
        """
        environ = os.environ if environ is None else environ
        master = options["master"] or environ.get("DET_MASTER") or ""
        if not master.strip():
            raise InvalidOption("master is not set: give the option master or the environment variable DET_MASTER.")
        username, password, token = _credentials(options, environ)
        if not 0 < options["timeout"] <= TIMEOUT_MAX:
            raise InvalidOption(
                f"timeout is {options['timeout']:g}: it must be a number of seconds above 0, and {TIMEOUT_MAX:g} at most."
            )
        if options["retries"] < 0:
            raise InvalidOption(f"retries is {options['retries']}: it must be 0 or more.")
        return cls(
            master=canonical_master(master.strip()),
            username=username,
            password=password,
            token=token,
            verify=_verify(options, environ),
            cert_name=options["cert_name"] or environ.get("DET_MASTER_CERT_NAME") or None,
            timeout=options["timeout"],
            retries=options["retries"],
        )

    @property
    def secrets(self) -> list[str]:
        """What must never be shown."""
        return [secret for secret in (self.password, self.token) if secret]

    @property
    def has_credentials(self) -> bool:
        """Whether the task can log in at all."""
        return self.token is not None or self.username is not None


def canonical_master(master: str) -> str:
    """Give a master's address the form ``scheme://host:port[/prefix]``, as the product's own CLI reads it.

    A bare host means http and port 8080, a URL without a port its scheme's port (determined v0.38.1,
    ``harness/determined/common/api/_util.py``, ``canonicalize_master_url``).

    :raises InvalidOption: not an address, or one with credentials, a query or a fragment.
    """
    wanted = "a host, host:port, or a http:// or https:// URL without user, password, query or fragment"
    schemes = {"http": 80, "https": 443}
    bare = "://" not in master
    if "@" in master:
        # Before anything of it is quoted.
        raise InvalidOption(
            f"master carries a user or password: it must be {wanted}; use auth_username and auth_password."
        )
    try:
        parts = urlsplit(f"http://{master}" if bare else master)
        port = parts.port
    except ValueError as error:
        raise InvalidOption(f"master is not an address ({error}): it must be {wanted}.") from error
    blank = any(char.isspace() for char in master)
    if parts.scheme not in schemes or not parts.hostname or port == 0 or parts.query or parts.fragment or blank:
        raise InvalidOption(f"master is {master!r}: it must be {wanted}.")
    port = port or (ENVIRONMENT_PORT if bare else schemes[parts.scheme])
    return urlunsplit((parts.scheme, f"{bracketed(parts.hostname)}:{port}", parts.path.rstrip("/"), "", ""))


def bracketed(host: str) -> str:
    """A host as a URL has it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def origin(parts: SplitResult) -> str:
    """Scheme, host and port of a URL: where it leads, without the credentials and the path that it may hold.

    :raises ValueError: the port is no number.
    """
    host = bracketed(parts.hostname or "")
    return f"{parts.scheme}://{host}" + ("" if parts.port is None else f":{parts.port}")


def is_token(text: str) -> bool:
    """Whether a text can be a token, which a header carries."""
    return text != "" and text.isascii() and text.isprintable() and " " not in text


def _credentials(
    options: t.Mapping[str, t.Any], environ: t.Mapping[str, str]
) -> tuple[str | None, str | None, str | None]:
    """Choose user, password and token: options before the environment, and in one place a token before a password."""
    places = (
        (
            "auth_token",
            options["auth_token"],
            "auth_username",
            options["auth_username"],
            "auth_password",
            options["auth_password"],
        ),
        (
            "DET_USER_TOKEN",
            environ.get("DET_USER_TOKEN"),
            "DET_USER",
            environ.get("DET_USER"),
            "DET_PASS",
            environ.get("DET_PASS"),
        ),
    )
    # A password may be split from its user: the user in a playbook, the password in the environment.
    password = options["auth_password"] if options["auth_password"] is not None else environ.get("DET_PASS")
    for token_name, token, user_name, username, password_name, own_password in places:
        if token:
            if not is_token(token):
                raise InvalidOption(f"{token_name} holds a blank, a line break or another character that no token has.")
            return None, None, token
        if username:
            if password is None:
                raise InvalidOption(
                    f"{user_name} is {username!r} but no password is given: set auth_password or DET_PASS "
                    f"(an empty text for a user without a password), or use auth_token."
                )
            return username, password, None
        if own_password and not environ.get("DET_USER"):
            raise InvalidOption(f"{password_name} is given without a user: set auth_username or DET_USER.")
    return None, None, None


def _verify(options: t.Mapping[str, t.Any], environ: t.Mapping[str, str]) -> bool | str:
    """Decide what the master's certificate is checked against."""
    if options["validate_certs"] is False:
        if options["ca_cert"]:
            raise InvalidOption("ca_cert is given while validate_certs is false: give one of them.")
        return False
    # The last two are how requests itself is told of a site's own authority.
    places: dict[str, str | None] = {"ca_cert": options["ca_cert"]}
    places |= {name: environ.get(name) for name in ("DET_MASTER_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")}
    source, path = next(((source, path) for source, path in places.items() if path), ("", None))
    if path is None:
        return True
    if source == "DET_MASTER_CERT_FILE" and path.lower() == "noverify":
        return bool(options["validate_certs"])
    if not os.path.exists(path):
        raise InvalidOption(f"{source} is {path!r}: there is no such file; it must name a file of certificates (PEM).")
    return path
