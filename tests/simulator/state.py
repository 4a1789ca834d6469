# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the simulated master stores: rows as dataclasses, the whole state in :class:`Master`.

The containers of machine-learning objects are plain dicts here; their row types live with their handlers.
"""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import hmac
import json
import re
import secrets
import typing as t
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from .gateway import Code, RpcError, plain
from .permissions import PREFIX, ROLE_PERMISSION_NAMES

VERSION = "0.38.1"
SESSION_LIFETIME = timedelta(days=7)  # master/internal/user/postgres_users.go:25
PASSWORD_SALT = "GubPEmmotfiK9TMD6Zdw"  # harness/determined/common/api/authentication.py:17
TOKEN_FOOTER = "bnVsbA"  # the footer "null" in base64
USER_SESSION, ACCESS_TOKEN = "USER_SESSION", "ACCESS_TOKEN"
PERSONAL_GROUP = "DeterminedPersonalGroup"
NO_PASSWORD_LOGIN = "-"  # the mark of remote users: no password fits

AUTHZ_MODES = ("basic", "rbac", "permissive")


def hash_password(password: str) -> str:
    """The client-side digest: hex SHA-512 of salt and password; the empty password stays empty."""
    return hashlib.sha512((PASSWORD_SALT + password).encode()).hexdigest() if password else ""


def stored_password(digest: str) -> str | None:
    """What the user row keeps of a digest. The server's bcrypt sees 72 bytes; None stands for a blank password."""
    return digest.encode()[:72].decode(errors="replace") if digest else None


def ilike(pattern: str, *, ignore_case: bool = True) -> re.Pattern[str]:
    """PostgreSQL's ILIKE (or LIKE) pattern as a regular expression for ``fullmatch``.

    Raises:
        RpcError: 500, for a pattern that ends in a lone backslash.
    """
    out, escaped = [], False
    for char in pattern:
        if escaped:
            out.append(re.escape(char))
            escaped = False
        elif char == "\\":
            escaped = True
        else:
            out.append({"%": ".*", "_": "."}.get(char) or re.escape(char))
    if escaped:
        raise plain("ERROR: LIKE pattern must not end with escape character (SQLSTATE 22025)")
    return re.compile("".join(out), re.DOTALL | (re.IGNORECASE if ignore_case else 0))


@dataclasses.dataclass(slots=True)
class AgentUserGroup:
    """The identity that a user's tasks run under on agents."""

    uid: int
    gid: int
    user: str
    group: str


@dataclasses.dataclass(slots=True)
class UserRow:
    """A row of users with its agent_user_groups row; ``password`` as :func:`stored_password` gives it."""

    id: int
    username: str
    modified_at: datetime
    admin: bool = False
    active: bool = False
    remote: bool = False
    display_name: str | None = None
    last_auth_at: datetime | None = None
    password: str | None = None
    agent: AgentUserGroup | None = None
    personal_group: int = 0
    settings: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)
    rendered: bytes | None = None  # the User object as JSON; reset by whoever changes the row


@dataclasses.dataclass(slots=True)
class SessionRow:
    """A row of user_sessions: a login session or an access token (they share one sequence of ids)."""

    id: int
    user_id: int
    token_type: str
    created_at: datetime
    expiry: datetime
    revoked_at: datetime | None = None
    description: str | None = None


@dataclasses.dataclass(slots=True)
class GroupRow:
    """A user group; ``owner`` is the user of a personal group, else 0. Members keep their order of entry."""

    id: int
    name: str
    owner: int = 0
    members: dict[int, None] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class SlotRow:
    """A slot of an agent."""

    id: int
    type: str
    brand: str
    uuid: str
    enabled: bool = True
    draining: bool = False


@dataclasses.dataclass(slots=True)
class AgentRow:
    """An agent.

    Attributes:
        link: ``up``, ``down`` (it lost its connection) or ``new`` (connected, not yet registered); tests set it.
        stuck: its slots stay disabled, as after a restart of the master that found it disabled; tests set it.
        held: the jobs that hold its slots.
        aux: the jobs on it that hold none.
    """

    id: str
    resource_pool: str
    registered: datetime
    address: str
    slots: dict[int, SlotRow] = dataclasses.field(default_factory=dict)
    enabled: bool = True
    draining: bool = False
    link: str = "up"
    stuck: bool = False
    version: str = VERSION
    held: dict[int, str] = dataclasses.field(default_factory=dict)
    aux: dict[str, None] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(slots=True)
class ClusterMessage:
    """The cluster message; ``end`` None is open."""

    message: str
    start: datetime
    end: datetime | None
    created: datetime


class Master:
    """The whole state of one simulated cluster.

    Args:
        authz: ``basic``, ``rbac`` or ``permissive``.
        login_cost: seconds that hashing a password takes (a real master: about 1.5).
        async_delay: seconds until asynchronous work, as deletes, is done.
    """

    def __init__(self, authz: str = "basic", *, login_cost: float = 0.0, async_delay: float = 0.15) -> None:
        if authz not in AUTHZ_MODES:
            raise ValueError(f"authz is one of {', '.join(AUTHZ_MODES)}, not {authz!r}")
        self.authz = authz
        self.login_cost = login_cost
        self.async_delay = async_delay
        self.clock_offset = timedelta(0)
        self.identify()
        self.cluster_name = ""
        self.config: dict[str, t.Any] = {}
        self.log_lines: list[tuple[datetime, str, str]] = []
        self.log_gone = 0  # entries that the log's ring has lost; tests set it
        self.sequences: dict[str, int] = {}  # the number drawn last
        self.call_later: Callable[[float, Callable[[], None]], None] | None = None  # set by the server's event loop

        self.users: dict[int, UserRow] = {}
        self.user_ids: dict[str, int] = {}  # by username
        self.sessions: dict[int, SessionRow] = {}  # login sessions and access tokens
        self.groups: dict[int, GroupRow] = {}
        self.role_assignments: dict[tuple[int, int, int | None], None] = {}  # (group, role, workspace or None)
        self.agents: dict[str, AgentRow] = {}
        self.resource_pools: dict[str, dict[str, t.Any]] = {}
        self.pool_bindings: dict[str, dict[int, None]] = {}
        self.cluster_message: ClusterMessage | None = None
        self.workloads: list[dict[str, t.Any]] = []
        self.usage_days: dict[t.Any, dict[str, dict[str, float]]] = {}  # by date

        self.workspaces: dict[int, t.Any] = {}
        self.projects: dict[int, t.Any] = {}
        self.templates: dict[str, t.Any] = {}
        self.experiments: dict[int, t.Any] = {}
        self.trials: dict[int, t.Any] = {}
        self.checkpoints: dict[str, t.Any] = {}
        self.models: dict[int, t.Any] = {}
        self.model_versions: dict[int, t.Any] = {}
        self.webhooks: dict[int, t.Any] = {}
        self.tasks: dict[str, t.Any] = {}
        self.config_policies: dict[t.Any, t.Any] = {}  # by (workspace or None, workload type)
        self.oauth_clients: dict[str, dict[str, str]] = {}
        self.kubernetes: dict[str, t.Any] = {}  # clusters by name; empty for agents

    # --- clock, ids, authorisation ---

    def identify(self) -> None:
        """Draw what no two masters share."""
        self.cluster_id = str(uuid.uuid4())
        self.master_id = str(uuid.uuid4())
        self.signing_key = secrets.token_bytes(32)

    def now(self) -> datetime:
        """The time in UTC; tests move it with ``clock_offset``."""
        return datetime.now(UTC) + self.clock_offset

    def next_id(self, kind: str, start: int = 1) -> int:
        """The next number of a sequence; as in PostgreSQL, a number once drawn is gone."""
        self.sequences[kind] = self.sequences.get(kind, start - 1) + 1
        return self.sequences[kind]

    @property
    def rbac(self) -> bool:
        """Whether role assignments are enforced."""
        return self.authz == "rbac"

    @property
    def rbac_enabled(self) -> bool:
        """What ``GET /master`` reports; permissive mode claims RBAC and enforces basic."""
        return self.authz != "basic"

    def not_found(self, kind: str, key: object = "") -> RpcError:
        """404 of users, workspaces, experiments, templates, agents (master/internal/api/error.go:68-95)."""
        shown = f"{kind} '{key}' not found" if key != "" else f"{kind} not found"
        return RpcError(Code.NOT_FOUND, shown + (", please check your permissions." if self.rbac_enabled else ""))

    def is_admin(self, user: UserRow) -> bool:
        """The admin flag, which means something under basic authorisation only."""
        return user.admin

    def roles_of(self, user: UserRow) -> list[tuple[int, int | None]]:
        """(role, workspace or None for global) that a user holds, directly and through groups."""
        return [
            (role, workspace)
            for group, role, workspace in self.role_assignments
            if user.id in self.groups[group].members
        ]

    def can(self, user: UserRow, permission: str, workspace_id: int | None = None) -> bool:
        """Whether a user's roles carry a permission globally or, when given, on a workspace."""
        name = permission.removeprefix(PREFIX)
        return any(
            name in ROLE_PERMISSION_NAMES[role] and (scope is None or scope == workspace_id)
            for role, scope in self.roles_of(user)
        )

    def can_anywhere(self, user: UserRow, permission: str) -> bool:
        """Whether a permission is held in any scope."""
        name = permission.removeprefix(PREFIX)
        return any(name in ROLE_PERMISSION_NAMES[role] for role, _scope in self.roles_of(user))

    def permitted(self, user: UserRow, permission: str) -> tuple[bool, set[int]]:
        """Where a permission is held: (globally, the workspaces by id)."""
        name = permission.removeprefix(PREFIX)
        scopes = [scope for role, scope in self.roles_of(user) if name in ROLE_PERMISSION_NAMES[role]]
        return None in scopes, {scope for scope in scopes if scope is not None}

    @staticmethod
    def denied(permission: str) -> RpcError:
        """403 of a missing permission under RBAC."""
        return plain(f"access denied; required permissions: {PREFIX}{permission.removeprefix(PREFIX)}")

    # --- users, sessions, groups ---

    def add_user(self, username: str, **fields: t.Any) -> UserRow:
        """Insert a user with its personal group. The caller has checked that the name is free."""
        modified_at = fields.pop("modified_at", None) or self.now()
        row = UserRow(id=self.next_id("users"), username=username, modified_at=modified_at, **fields)
        group = GroupRow(self.next_id("groups"), f"{row.id}{PERSONAL_GROUP}", owner=row.id, members={row.id: None})
        row.personal_group = group.id
        self.users[row.id], self.user_ids[username], self.groups[group.id] = row, row.id, group
        return row

    def user_by_name(self, username: str) -> UserRow | None:
        """The user of exactly this name."""
        key = self.user_ids.get(username)
        return None if key is None else self.users[key]

    def add_session(
        self,
        user: UserRow,
        token_type: str,
        lifetime: timedelta,
        *,
        description: str | None = None,
        created: datetime | None = None,
    ) -> SessionRow:
        """Insert a login session or an access token."""
        created = created or self.now()
        row = SessionRow(
            self.next_id("sessions"), user.id, token_type, created, created + lifetime, description=description
        )
        self.sessions[row.id] = row
        return row

    def token_value(self, row: SessionRow) -> str:
        """The bearer token of a row, in the shape of PASETO v2.public: JSON claims and a signature of 64 bytes."""
        claims = json.dumps(
            {
                "id": row.id,
                "user_id": row.user_id,
                "expiry": nanos(row.expiry),
                "created_at": nanos(row.created_at),
                "token_type": row.token_type,
                "revoked_at": None,
                "description": row.description,
                "InheritedClaims": None,
            },
            separators=(",", ":"),
            ensure_ascii=False,
        ).encode()
        signature = hmac.new(self.signing_key, claims, hashlib.sha512).digest()
        return f"v2.public.{base64.urlsafe_b64encode(claims + signature).rstrip(b'=').decode()}.{TOKEN_FOOTER}"

    def token_claims(self, token: str) -> dict[str, t.Any] | None:
        """The claims of a token that this master signed, else None."""
        parts = token.split(".")
        if len(parts) != 4 or parts[:2] != ["v2", "public"] or parts[3] != TOKEN_FOOTER:
            return None
        try:
            raw = base64.urlsafe_b64decode(parts[2] + "=" * (-len(parts[2]) % 4))
        except ValueError:
            return None
        claims, signature = raw[:-64], raw[-64:]
        if not hmac.compare_digest(hmac.new(self.signing_key, claims, hashlib.sha512).digest(), signature):
            return None
        return t.cast("dict[str, t.Any]", json.loads(claims))

    def revoke_tokens(self, user_id: int) -> None:
        """Stamp every access token of a user as revoked, those already revoked again."""
        now = self.now()
        for row in self.sessions.values():
            if row.user_id == user_id and row.token_type == ACCESS_TOKEN:
                row.revoked_at = now

    def drop_sessions(self, user_id: int) -> None:
        """End every login session of a user; access tokens stay."""
        gone = [key for key, row in self.sessions.items() if row.user_id == user_id and row.token_type == USER_SESSION]
        for key in gone:
            del self.sessions[key]

    def live_sessions(self) -> list[SessionRow]:
        """The login sessions that have not ended, for tests that count them."""
        now = self.now()
        return [row for row in self.sessions.values() if row.token_type == USER_SESSION and row.expiry > now]

    def forget_workspace(self, workspace_id: int) -> None:
        """Drop what hangs on a workspace that is deleted: role assignments, pool bindings, config policies; its tasks end."""
        for task in self.tasks.values():
            if task.workspace_id == workspace_id and task.ended is None:
                task.finish(self.now())
        for key in [key for key in self.role_assignments if key[2] == workspace_id]:
            del self.role_assignments[key]
        for bound in self.pool_bindings.values():
            bound.pop(workspace_id, None)
        for scope in [scope for scope in self.config_policies if scope[0] == workspace_id]:
            del self.config_policies[scope]
        for cluster in self.kubernetes.values():
            cluster.bound.pop(workspace_id, None)


def nanos(value: datetime) -> str:
    """Go's time.Time in JSON: fractional digits without trailing zeros."""
    text = value.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{value.microsecond:06d}".rstrip("0") + "Z" if value.microsecond else text + "Z"
