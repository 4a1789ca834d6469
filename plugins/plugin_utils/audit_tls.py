# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What an audit wants to know of the master's TLS: which version is negotiated, and until when its certificate is valid.

Only a controller has what parses certificates: ansible-core requires the library.
"""

from __future__ import annotations

import datetime
import socket
import ssl
import typing as t

try:
    from cryptography import x509
except ImportError:  # ansible-core requires it, but the import test of ansible-test has it not
    x509 = None

from ansible_collections.determined.ai.plugins.module_utils._wire.errors import TlsError, Unreachable


def read_tls(host: str, port: int, server_name: str, timeout: float) -> dict[str, t.Any]:
    """Make one TLS handshake, and hang up.

    The certificate is not checked: what is expired, self-signed or of another name is what an audit has to see.

    :param host: a name or an address, without brackets.
    :param server_name: the name that the certificate is asked for by.
    :param timeout: seconds to connect, and between two bytes.
    :returns: ``version``, such as ``TLSv1.3``, and ``not_after``, a time in UTC as in ``2027-01-31T12:00:00Z``.
    :raises Unreachable: nobody answers there, or not in time.
    :raises TlsError: what answers there speaks no TLS, or shows no certificate that can be read.
    """
    try:
        with (
            socket.create_connection((host, port), timeout=timeout) as connection,
            _anything().wrap_socket(connection, server_hostname=server_name) as secured,
        ):
            version, certificate = secured.version(), secured.getpeercert(binary_form=True)
    except ssl.SSLError as error:
        raise TlsError(f"no TLS handshake was possible with {host}:{port}: {error.reason or error}") from error
    except (OSError, ValueError) as error:
        # A name that can't be one is a ValueError.
        raise Unreachable(f"{host}:{port} can't be reached for a TLS handshake: {error}") from error
    if version is None or certificate is None:
        raise TlsError(f"{host}:{port} showed no certificate in a TLS handshake")
    try:
        found = x509.load_der_x509_certificate(certificate)
    except ValueError as error:
        raise TlsError(f"the certificate of {host}:{port} can't be read: {error}") from error
    return {"version": version, "not_after": _not_after(found).strftime("%Y-%m-%dT%H:%M:%SZ")}


def _anything() -> ssl.SSLContext:
    """A context that takes any certificate, and old versions of TLS as far as OpenSSL still knows them: a server that knows no
    better is to be found out, not to be taken for one that can't be reached."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


def _not_after(certificate: x509.Certificate) -> datetime.datetime:
    # cryptography knows times with a zone since release 42, and warns of the others.
    aware: datetime.datetime | None = getattr(certificate, "not_valid_after_utc", None)
    return certificate.not_valid_after.replace(tzinfo=datetime.UTC) if aware is None else aware
