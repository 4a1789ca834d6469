# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""One HTTP call: keep-alive, TLS, redirects, retries, and the translation of every failure into `DeterminedError`."""

from __future__ import annotations

import dataclasses
import functools
import json
import ssl
import sys
import time
import typing as t
import urllib.request
from urllib.parse import quote, urljoin, urlsplit

from ansible.module_utils.ansible_release import __version__ as ansible_version

from .._deps import AuthBase, HTTPAdapter, PreparedRequest, from_json, requests, urllib3
from . import errors
from ._version import COLLECTION_VERSION
from .connection import Connection, origin
from .retry import REPEATABLE, CallRetry

REDIRECTS_MAX = 5
PART = 1 << 20
"""Bytes of an answer that are read at once."""

ANSWER_MAX = 1 << 30
"""Bytes of an answer, decompressed. A master sends at most 128 MiB of its own encoding, which JSON makes a few times as long."""

WHOLE_ANSWER = 10
"""An answer must be whole after this many times the time-out: one that goes on for ever ends here, such as a log that is
followed, or a byte every few seconds."""

PROXY_VARIABLES = "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY"
TUNNEL_REFUSED = "Tunnel connection failed:"
"""How Python's http.client begins to say that a proxy has answered CONNECT with something else than 200."""

USER_AGENT = (
    f"determined.ai/{COLLECTION_VERSION} ansible-core/{ansible_version} "
    f"python/{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
)

_BY_STATUS: dict[int, type[errors.DeterminedError]] = {
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    409: errors.Conflict,
    501: errors.NotSupported,
}

OUTSIDE = ("Not Found", "api not found:", "Method Not Allowed")
"""How a 404 or 405 of a master begins outside its API, where a wrong path prefix leads (tried on a running 0.38.1 master)."""

DEACTIVATED = "user does not have permission"
"""What the token of a deactivated user gets, like one who may not do something (``master/internal/grpcutil/auth.go``)."""


def route(*segments: str | int) -> str:
    """Build a path below ``/api/v1``, each segment percent-encoded.

    :raises errors.InvalidOption: no path can carry a segment: the server decodes before it routes, so ``/`` splits it and
        ``:`` in the last place is read as a verb, both 501 (API page, trap 2); ``.`` and ``..`` are removed by every
        HTTP client.
    """
    texts = [str(segment) for segment in segments]
    for text in texts:
        if not text or "/" in text or text in {".", ".."} or (text is texts[-1] and ":" in text):
            raise errors.InvalidOption(
                f"The name {text!r} cannot be reached: the master's API has no path for an empty name, one with '/', or "
                "one that ends the path and has ':' in it."
            )
    return "/api/v1/" + "/".join(quote(text, safe="") for text in texts)


class Bearer(AuthBase):
    """Sends a token, or nothing. Being set at all, it keeps ``.netrc`` from putting its own credentials there."""

    def __init__(self, token: str | None) -> None:
        self.token = token

    def __call__(self, request: t.Any) -> t.Any:
        """Add the header to a prepared request."""
        if self.token is not None:
            request.headers["Authorization"] = f"Bearer {self.token}"
        return request


class _Request(PreparedRequest):
    """A request without cookies: logout leaves a dead one behind that would turn later calls into 401 (API page, trap 20)."""

    def prepare_cookies(self, cookies: t.Any) -> None:
        """Send none."""


class _Adapter(HTTPAdapter):
    """requests' connections to one master, without what a session would do to each call: it adds cookies, ``.netrc`` and
    redirects, none of which may happen here, and time, as each task's first call runs in a fresh fork.

    :param name: what the master's certificate must carry in place of the host's name.
    """

    def __init__(self, name: str | None) -> None:
        self.name = name
        super().__init__(pool_maxsize=8)

    def init_poolmanager(self, *args: t.Any, **kwargs: t.Any) -> None:
        """Make the pool with the name to check."""
        if self.name is not None:
            kwargs.update(assert_hostname=self.name, server_hostname=self.name)
        super().init_poolmanager(*args, **kwargs)

    def build_response(self, req: t.Any, resp: t.Any) -> t.Any:
        """Leave urllib3's answer as it is."""
        return resp


@functools.cache
def _proxies_are_named() -> bool:
    """Whether the environment names any proxy; the same for all calls, and forks inherit the answer."""
    return bool(urllib.request.getproxies())


@dataclasses.dataclass(frozen=True)
class Answer:
    """A 2xx answer.

    :ivar method: the call's method.
    :ivar path: the call's path, without the query.
    :ivar status: HTTP status.
    :ivar content: the body's bytes, decompressed.
    :ivar attempts: how many tries it took.
    """

    method: str
    path: str
    status: int
    content: bytes
    attempts: int

    def json(self) -> t.Any:
        """The body as plain data; an empty body is None.

        :raises errors.BadAnswer: not JSON, or cut short.
        """
        if not self.content.strip():
            return None
        try:
            return from_json(self.content, allow_inf_nan=False)
        except ValueError as error:
            raise self.bad(f"it is not JSON ({error})") from error

    @property
    def is_page(self) -> bool:
        """Whether it is HTML, which no call of the API answers with."""
        return self.content[:60].lstrip().startswith(b"<")

    def bad(self, why: str) -> errors.BadAnswer:
        """Make the failure that says what is wrong with this answer."""
        hint = ""
        if self.is_page:
            why, hint = "it is a web page", " Is this a Determined master, or does a proxy answer in its place?"
        return errors.BadAnswer(
            f"{self.method} {self.path}: HTTP {self.status}, but the answer is not one of a Determined master: {why}.{hint}",
            _failure(self.method, self.path, self.status, "bad answer", why, self.attempts),
        )


class Transport:
    """A keep-alive connection to one master. It knows no credentials: each call brings its token.

    :ivar connection: where to and how.
    :ivar warn: receives a sentence for each retry.
    """

    def __init__(self, connection: Connection, warn: t.Callable[[str], None]) -> None:
        self.connection = connection
        self.warn = warn
        self._adapter = _Adapter(connection.cert_name)
        self._proxies = requests.utils.get_environ_proxies(connection.master) if _proxies_are_named() else {}
        self._proxy = ""
        if connection.verify is False:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)

    def connect_by(self, connection_class: type) -> None:
        """Use another class of urllib3 connections to the master, and no proxy."""
        self._proxies = {}
        # By the kind of pool: requests adds arguments to a pool's key, so that no pool made beforehand would be found.
        pool = type("Pool", (urllib3.HTTPConnectionPool,), {"ConnectionCls": connection_class})
        self._adapter.poolmanager.pool_classes_by_scheme = {"http": pool}

    def close(self) -> None:
        """Close the connection."""
        self._adapter.close()

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None,
        query: t.Mapping[str, t.Any] | None = None,
        body: t.Any = None,
        timeout: float | None = None,
        accept: t.Collection[int] = (),
    ) -> Answer:
        """Make one call.

        :param method: HTTP method in capitals.
        :param path: from the root, percent-encoded, such as `route` builds.
        :param token: sent as bearer token; None sends none.
        :param query: query parameters; lists repeat their key, None is left out.
        :param body: JSON data, or None for no body.
        :param timeout: seconds instead of the connection's.
        :param accept: statuses beside 2xx that are no failure, such as the 503 with which ``/health`` reports.
        :raises errors.DeterminedError: one of its kinds, for whatever goes wrong.
        """
        policy = CallRetry.of(self.connection.retries, self.warn)
        seconds = timeout or self.connection.timeout
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip, deflate", "User-Agent": USER_AGENT}
        data = None
        if body is not None:
            data = _encoded(method, path, body)
            headers["Content-Type"] = "application/json"
        url = self.connection.master + path
        for hop in range(REDIRECTS_MAX + 1):
            if self._proxies:
                self._proxy = _proxy_place(requests.utils.select_proxy(url, self._proxies))
            try:
                request = _Request()
                params = _query(query) if query and hop == 0 else None
                request.prepare(method, url, headers, params=params, data=data, auth=Bearer(token))
                response, content = self._exchange(request, policy, seconds)
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
                raise self._network(method, path, error, len(policy.failures) + 1, seconds) from error
            attempts = len(policy.failures) + 1
            target = self._redirect(method, path, str(request.url), response, attempts)
            if target is None:
                answer = Answer(method, path, response.status, content, attempts)
                if 200 <= answer.status < 300 or answer.status in accept:
                    return answer
                raise self._refused(answer, response.headers)
            url = target
        raise errors.BadAnswer(
            f"{method} {path}: more than {REDIRECTS_MAX} redirects; is {self.connection.master} the master's address?",
            _failure(method, path, None, "redirects", "", len(policy.failures) + 1),
        )

    def _exchange(self, request: t.Any, policy: CallRetry, seconds: float) -> tuple[t.Any, bytes]:
        """Send a request and read the whole answer; a read whose answer breaks off is tried again.

        :param seconds: the time-out.
        """
        while True:
            # One client serves one thread, so the adapter can carry the policy of the call in hand.
            self._adapter.max_retries = policy
            response: t.Any = self._adapter.send(
                request, timeout=seconds, verify=self.connection.verify, proxies=self._proxies
            )
            try:
                return response, _content(request, response, seconds * WHOLE_ANSWER)
            except urllib3.exceptions.HTTPError as error:
                response.close()
                try:
                    policy = response.retries.increment(request.method, request.path_url, error=error)
                except urllib3.exceptions.MaxRetryError:
                    raise error from None
                policy.sleep()

    def _redirect(self, method: str, path: str, url: str, response: t.Any, attempts: int) -> str | None:
        """Say where to go on, or None when the answer is no redirect.

        A GET may go to the same host, at the same or a better protection: the token must reach nobody else.
        """
        target = response.get_redirect_location()
        if not target:
            return None
        try:
            target = urljoin(url, str(target))
            here, there = urlsplit(url), urlsplit(target)
            _port = there.port
        except ValueError as error:
            raise errors.BadAnswer(
                f"{method} {path}: the master redirects to what is no address; is {self.connection.master} its own?",
                _failure(method, path, response.status, "redirect", "", attempts),
            ) from error
        if method in REPEATABLE and there.hostname == here.hostname and there.scheme in {here.scheme, "https"}:
            return target
        place = f"{there.scheme}://{there.netloc.rpartition('@')[2]}"
        raise errors.BadAnswer(
            f"{method} {path}: the master redirects to {place}, where neither the token nor a write is sent: "
            f"give the address that it really has as master (now {self.connection.master}).",
            _failure(method, path, response.status, "redirect", place, attempts),
        )

    def _refused(self, answer: Answer, headers: t.Mapping[str, str]) -> errors.DeterminedError:
        """Translate an answer that is not 2xx."""
        text = server_text(answer.content)
        failure = _failure(
            answer.method,
            answer.path,
            answer.status,
            _reason(answer.content),
            text,
            answer.attempts,
            headers.get("X-Request-Id"),
        )
        said = f": {text}" if text else ""
        where = f"{answer.method} {answer.path}"
        if answer.status == 407 and self._proxy:
            return self._proxy_refused(failure)
        if answer.status == 429:
            return errors.Unreachable(
                f"{where}: the master at {self.connection.master}, or a proxy before it, takes no more calls for now (HTTP 429 "
                f"after {answer.attempts} tries{said}).",
                failure,
            )
        if answer.status in {502, 503, 504}:
            if answer.method not in REPEATABLE:
                return errors.LostAnswer(
                    f"{where}: HTTP {answer.status}{said}; whether the master carried it out is not known.", failure
                )
            return errors.Unreachable(
                f"{where}: the master at {self.connection.master} is not available, HTTP {answer.status} after "
                f"{answer.attempts} tries{said}.",
                failure,
            )
        if answer.status == 501 and not answer.is_page:
            return errors.NotSupported(
                f"{where}: this master does not know that call (HTTP 501{said}); it may be too old or too new for this collection.",
                failure,
            )
        kind = _BY_STATUS.get(answer.status, errors.Rejected)
        if answer.is_page or (not text and answer.status not in _BY_STATUS):
            return answer.bad(f"HTTP {answer.status} without Determined's error text")
        if answer.status in {404, 405} and not _is_told(answer):
            # A task would conclude from 404 that an object is not there.
            return errors.BadAnswer(
                f"{where}: HTTP {answer.status}{said}, which is not how a Determined master says it: is "
                f"{self.connection.master} its address, path prefix included?",
                failure,
            )
        if text == DEACTIVATED:
            said += " (it says so to a deactivated user, too)"
        return kind(f"{where}: HTTP {answer.status}{said}", failure)

    def _network(
        self, method: str, path: str, error: Exception, attempts: int, seconds: float
    ) -> errors.DeterminedError:
        """Translate a failure to get any answer.

        :param seconds: the time-out.
        """
        exceptions = requests.exceptions
        master = self.connection.master
        cause = _cause(error)
        failure = _failure(method, path, None, type(cause).__name__, _plain(cause), attempts)
        if isinstance(error, exceptions.SSLError):
            said = cause.args[0] if cause.args else None
            if isinstance(said, ssl.SSLError) and not isinstance(said, ssl.SSLCertVerificationError):
                return errors.TlsError(
                    f"TLS with {master} fails ({_plain(cause)}): does it speak https, and does ca_cert, if given, name a file "
                    "of certificates (PEM)?",
                    failure,
                )
            return errors.TlsError(
                f"The certificate of {master} is not accepted ({_plain(cause)}): name its issuer with ca_cert, or the name "
                "that it carries with cert_name.",
                failure,
            )
        if isinstance(error, exceptions.InvalidSchema):
            # All that requests can mean by it: the schemes of the master and of other proxies are known to it.
            return errors.InvalidOption(
                f"The proxy {self._proxy} cannot be used: SOCKS needs the Python library PySocks (pip install PySocks)."
            )
        if isinstance(error, (exceptions.InvalidHeader, exceptions.InvalidURL)):
            return errors.InvalidOption(
                f"{method} {path} cannot be sent: {type(error).__name__}; check master and auth_token."
            )
        if isinstance(error, exceptions.ProxyError):
            return self._no_way_through(cause, failure, seconds)
        refused = isinstance(cause, (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError))
        slow = isinstance(error, exceptions.Timeout) or isinstance(cause, urllib3.exceptions.TimeoutError)
        # In some releases of urllib3 a refused connection counts as a kind of time-out.
        slow = slow and not isinstance(cause, urllib3.exceptions.NewConnectionError)
        why = f"no answer within {seconds:g} s" if slow else _plain(cause)
        if refused or method in REPEATABLE:
            return errors.Unreachable(
                f"The master at {master} cannot be reached: {why} ({method} {path}, {attempts} tries).", failure
            )
        return errors.LostAnswer(
            f"{method} {path} was sent to {master}, but its answer was lost ({why}); whether the master carried it out is not known.",
            failure,
        )

    def _no_way_through(
        self, error: BaseException, failure: dict[str, t.Any], seconds: float
    ) -> errors.DeterminedError:
        """Translate a failure to reach the master through a proxy; nothing was sent to the master."""
        cause = getattr(error, "original_error", error)
        tries = f"({failure['method']} {failure['path']}, {failure['attempts']} tries)"
        slow = isinstance(cause, urllib3.exceptions.TimeoutError)
        slow = slow and not isinstance(cause, urllib3.exceptions.NewConnectionError)
        why = f"no answer within {seconds:g} s" if slow else _plain(cause)
        failure = {**failure, "reason": type(cause).__name__, "message": why}
        if why.startswith(TUNNEL_REFUSED):
            if f"{TUNNEL_REFUSED} 407" in why:
                return self._proxy_refused(failure)
            return errors.Unreachable(
                f"The proxy {self._proxy} does not connect to {self.connection.master}: {why} {tries}.", failure
            )
        return errors.Unreachable(f"The proxy {self._proxy} cannot be reached: {why} {tries}.", failure)

    def _proxy_refused(self, failure: dict[str, t.Any]) -> errors.DeterminedError:
        """Say what to do about a 407, which only a proxy sends."""
        return errors.Unreachable(
            f"The proxy {self._proxy} wants a user and password (HTTP 407): put them into its address in {PROXY_VARIABLES}, as "
            "in http://USER:PASSWORD@HOST:PORT, or name the master in NO_PROXY.",
            failure,
        )


def _content(request: t.Any, response: t.Any, seconds: float) -> bytes:
    """Read an answer's body, decompressed.

    :param seconds: how long it may take as a whole; the time-out is between two bytes.
    :raises errors.BadAnswer: it is too large.
    :raises urllib3.exceptions.ProtocolError: it is not whole in time.
    """
    deadline = time.monotonic() + seconds
    # In urllib3 before 2, the length is checked only when asked for, and time is looked at only after each full part.
    response.enforce_content_length = True
    read = getattr(response, "read1", response.read)
    parts: list[bytes] = []
    size = 0
    while part := read(PART, decode_content=True):
        parts.append(part)
        size += len(part)
        if time.monotonic() > deadline:
            raise urllib3.exceptions.ProtocolError(f"the answer was not whole within {seconds:g} s")
        if size > ANSWER_MAX:
            response.close()
            method, path = request.method, request.path_url.partition("?")[0]
            why = f"it is larger than {ANSWER_MAX >> 20} MiB"
            raise errors.BadAnswer(
                f"{method} {path}: the answer was left unread, as {why}; ask for less of it, such as by a limit.",
                _failure(method, path, response.status, "bad answer", why, 1),
            )
    return b"".join(parts)


def _proxy_place(address: str | None) -> str:
    """A proxy's address as it may be shown, without the credentials that it may hold; empty for no proxy.

    :raises errors.InvalidOption: it is not an address.
    """
    if not address:
        return ""
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        place = origin(parts) if parts.hostname else None
    except ValueError:
        place = None
    if place is None:
        raise errors.InvalidOption(
            f"The environment names a proxy whose address is none: {PROXY_VARIABLES} must be http://HOST:PORT or "
            "http://USER:PASSWORD@HOST:PORT, with what is special in a URL percent-encoded."
        )
    return place


def server_text(content: bytes) -> str:
    """The server's own error text, wherever it puts it.

    In the order in which the official client looks: ``message``, ``error.message``, ``error.error`` (API page, section 11).
    Free of line breaks and cut at 500 characters. Empty when there is none.
    """
    found = _error_object(content)
    inner = found.get("error")
    inner = inner if isinstance(inner, dict) else {"error": inner}
    for text in (found.get("message"), inner.get("message"), inner.get("error")):
        if isinstance(text, str) and text:
            return " ".join(text.split())[:500]
    return ""


def _is_told(answer: Answer) -> bool:
    """Whether a 404 or 405 is one that a master sends at such a path: JSON, and in its API not that the path leads nowhere."""
    text = server_text(answer.content)
    return bool(_error_object(answer.content)) and not (answer.path.startswith("/api/v1/") and text.startswith(OUTSIDE))


def _error_object(content: bytes) -> dict[str, t.Any]:
    try:
        found = from_json(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _reason(content: bytes) -> str:
    inner = _error_object(content).get("error")
    return str(inner.get("reason") or "") if isinstance(inner, dict) else ""


def _failure(
    method: str, path: str, status: int | None, reason: str, message: str, attempts: int, request_id: str | None = None
) -> dict[str, t.Any]:
    failure = {
        "method": method,
        "path": path,
        "status": status,
        "reason": reason,
        "message": message,
        "attempts": attempts,
    }
    if request_id:
        failure["request_id"] = request_id
    return failure


def _encoded(method: str, path: str, body: t.Any) -> bytes:
    """A body as JSON.

    :raises errors.InvalidOption: it holds what JSON can't.
    """
    try:
        return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        # Not the error's text, which may quote the body.
        raise errors.InvalidOption(
            f"{method} {path} cannot be sent: its values hold something that is not JSON, such as .nan, .inf or bytes."
        ) from error


def _query(query: t.Mapping[str, t.Any]) -> list[tuple[str, str]]:
    """Repeat the keys of lists and write booleans as the gateway reads them."""
    return [
        (key, str(item).lower() if isinstance(item, bool) else str(item))
        for key, value in query.items()
        for item in (value if isinstance(value, (list, tuple)) else [value])
        if item is not None
    ]


def _cause(error: BaseException) -> BaseException:
    """The innermost error that says something: requests wraps urllib3's, which wraps the system's."""
    inner = error.args[0] if error.args and isinstance(error.args[0], BaseException) else None
    reason = getattr(inner, "reason", None)
    if isinstance(reason, BaseException):
        return reason
    return inner or error


def _plain(error: BaseException) -> str:
    """An exception's text without object addresses: ``Connection refused`` rather than ``<HTTPConnection ...>: ...``."""
    for part in (error, *error.args, error.__cause__, error.__context__):
        if isinstance(part, OSError) and part.strerror:
            return part.strerror
    if len(error.args) == 2 and isinstance(error.args[1], Exception):
        # urllib3's ProtocolError and its like: what happened, and why.
        what, why = error.args
        if isinstance(why, ConnectionError):
            return str(why)
        return str(what) if repr(why) in str(what) else f"{what} {why!r}"
    text = str(error)
    return text.rpartition(">: ")[2] or text or type(error).__name__
