# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What containers are made of and may do: images, privilege, mounts and storage, as configurations declare them.

Configurations come from users in any shape; what has not the shape that the master reads says nothing, and is no failure.
"""

from __future__ import annotations

import functools
import posixpath
import re
import typing as t

from .._kinds.config_schema import REMOVED_SEARCHERS, deprecated_keys, wrong_keys
from .._kinds.masking import masked_text

Plain = dict[str, t.Any]

SLOT_TYPES = ("cpu", "cuda", "rocm")


def images(environment: t.Any) -> dict[str, str]:
    """The images of a configuration by slot type: ``{"cpu": ..., "cuda": ..., "rocm": ...}``, those that are set.

    One text is the image of all. ``gpu`` is an older word for ``cuda``, and read where ``cuda`` is not set
    (``RuntimeItem.UnmarshalJSON`` in ``master/pkg/model/environment_config.go``).

    :param environment: the section ``environment`` of a configuration, or the master's ``task_container_defaults``.
    """
    image = environment.get("image") if isinstance(environment, dict) else None
    if isinstance(image, str):
        return dict.fromkeys(SLOT_TYPES, image) if image else {}
    if not isinstance(image, dict):
        return {}
    found = {**image, "cuda": image.get("cuda") or image.get("gpu")}
    return {slot: found[slot] for slot in SLOT_TYPES if isinstance(found.get(slot), str) and found[slot]}


_DIGEST = re.compile(r"@[A-Za-z][\w+.-]{0,40}:[0-9a-fA-F]{32,128}$")
"""The digest of an image's reference (grammar of github.com/distribution/reference)."""


def pinning_fault(image: str, by: str) -> str | None:
    """What lets an image change under its name, in a sentence; None if nothing does.

    :param by: ``digest``, or ``tag``, for which a digest will do too.
    """
    if _DIGEST.search(image):
        return None
    if by == "digest":
        return "The image has no digest."
    tag = image.rpartition("/")[2].partition("@")[0].partition(":")[2]
    if not tag:
        return "The image has no tag, which means latest."
    return "The image has the tag latest." if tag.lower() == "latest" else None


def registry_fault(image: str, allowed: t.Iterable[str]) -> str | None:
    """Say that an image is from none of the allowed registries; None if it is from one.

    Images are read as Docker does: ``ubuntu`` is ``docker.io/library/ubuntu``, and the first part is a registry only if it
    has a dot or a port, or is ``localhost``.

    :param allowed: registries, with a path or without: ``registry.example.com:5000``, ``docker.io/determinedai``,
        ``determinedai`` (of Docker Hub), ``*.example.com``. ``*`` stands for any characters of one part. An entry covers
        what is below it; a registry without a port is another one than that with a port.
    """
    parts = _image_parts(_DIGEST.sub("", image.removeprefix("docker://")), "library/")
    if all(part not in {"", ".", ".."} for part in parts):
        for entry in allowed:
            patterns = _allowed_parts(entry)
            if patterns and len(patterns) <= len(parts) and all(map(_matches, patterns, parts)):
                return None
    return "The image is from a registry that is not allowed."


def _image_parts(name: str, default: str) -> list[str]:
    """A registry and the parts of a path, without tag.

    :param default: what Docker Hub's images of one part stand under.
    """
    first, slash, rest = name.partition("/")
    # distribution/reference, splitDockerDomain
    if not (slash and (re.search(r"[.:*]", first) or first == "localhost")):
        first, rest = "docker.io", name if slash else default + name
    registry = first.lower()
    if registry in {"index.docker.io", "registry-1.docker.io"}:
        registry = "docker.io"
    path, _slash, last = rest.rpartition("/")
    return [registry, *(path.split("/") if path else []), last.partition(":")[0]]


@functools.lru_cache(maxsize=1024)
def _allowed_parts(entry: str) -> list[str]:
    entry = re.sub(r"^\w+://", "", entry.strip()).rstrip("/")
    first = entry.partition("/")[0]
    if not entry or "/" in entry or not (re.search(r"[.:*]", first) or first == "localhost"):
        return _image_parts(entry, "") if entry else []
    return ["docker.io" if first == "index.docker.io" else first.lower()]


def _matches(pattern: str, part: str) -> bool:
    return pattern == part or ("*" in pattern and _glob(pattern).fullmatch(part) is not None)


@functools.lru_cache(maxsize=1024)
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile("[^/]*".join(map(re.escape, re.split(r"\*+", pattern))))


SENSITIVE = (
    "/etc", "/root", "/home", "/proc", "/sys", "/dev", "/run", "/var/run", "/var/lib/kubelet",
)  # fmt: skip
"""Paths of a host that give it away, with all that is below them. ``/`` does too, and what these are below."""

_SOCKET = re.compile(r"(?:docker|dockershim|cri-dockerd|containerd|crio|podman|buildkitd)\.sock")


def privilege_faults(config: t.Any, allowed_bind_mounts: t.Iterable[str] | None) -> list[str]:
    """Where a configuration asks for more than a container has, a sentence each, none twice.

    :param config: of a template, an experiment or a task; for cluster defaults see `default_configs`.
    :param allowed_bind_mounts: paths of hosts that may be mounted, with what is below them; None: nobody said, so mounts that
        may be written are not judged. A sensitive path is allowed only by an entry that is sensitive itself:
        ``/home/shared`` is, ``/`` is not.
    """
    if not isinstance(config, dict):
        return []
    environment = _mapping(config.get("environment"))
    faults = [
        f"environment.add_capabilities asks for {_told(name)}." for name in _items(environment.get("add_capabilities"))
    ]
    faults += [
        f"resources.devices passes {_device(item)} on."
        for item in _items(_mapping(config.get("resources")).get("devices"))
    ]
    faults += _mount_faults(config.get("bind_mounts"), allowed_bind_mounts)
    faults += _pod_faults(environment.get("pod_spec"), allowed_bind_mounts or ())
    return list(dict.fromkeys(faults))


def default_configs(defaults: t.Any) -> list[Plain]:
    """Cluster or pool defaults (``task_container_defaults``), shaped as the configurations that they are merged into.

    One for each of the pod specs that they can have (``TaskContainerDefaultsConfig`` in
    ``master/pkg/model/task_container_defaults.go``): on CPUs, on GPUs, and of the collection of checkpoints.
    """
    found = _mapping(defaults)
    environment = {
        name: found[name]
        for name in ("image", "environment_variables", "registry_auth", "add_capabilities")
        if found.get(name) is not None
    }
    config = {
        "bind_mounts": found.get("bind_mounts"),
        "resources": {"devices": found.get("devices")},
        "startup_hook": found.get("startup_hook"),
    }
    specs = [found[name] for name in ("cpu_pod_spec", "gpu_pod_spec", "checkpoint_gc_pod_spec") if found.get(name)]
    return [{**config, "environment": {**environment, "pod_spec": spec}} for spec in specs or [None]]


def _mount_faults(mounts: t.Any, allowed: t.Iterable[str] | None) -> t.Iterator[str]:
    for mount in _items(mounts):
        path = mount.get("host_path") if isinstance(mount, dict) else None
        if not isinstance(path, str):
            continue
        path = _normal(path)
        if _is_sensitive(path):
            if not _is_allowed(path, allowed or ()):
                yield f"bind_mounts mounts {_told(path)} of the host, which is sensitive."
        elif allowed is not None and mount.get("read_only") is not True and not _is_allowed(path, allowed):
            yield f"bind_mounts mounts {_told(path)} of the host for writing."


def _normal(path: str) -> str:
    """A path of a host without what hides it: ``//etc/../root/`` is ``/root``."""
    return "/" + posixpath.normpath("/" + path).lstrip("/")


def _below(inner: str, outer: str) -> bool:
    return inner == outer or outer == "/" or inner.startswith(f"{outer}/")


def _is_sensitive(path: str) -> bool:
    return _is_in_sensitive(path) or any(_below(top, path) for top in SENSITIVE)


def _is_in_sensitive(path: str) -> bool:
    return any(_below(path, top) for top in SENSITIVE) or _SOCKET.fullmatch(posixpath.basename(path)) is not None


def _is_allowed(path: str, allowed: t.Iterable[str]) -> bool:
    entries = [_normal(entry) for entry in allowed]
    if _is_sensitive(path):
        entries = [entry for entry in entries if _is_in_sensitive(entry) or entry == path != "/"]
    return any(_below(path, entry) for entry in entries)


def _device(item: t.Any) -> str:
    """A device's path on the host; ``host:container:mode`` is a way to write it (``DeviceConfig.UnmarshalJSON``)."""
    path = item.get("host_path") if isinstance(item, dict) else str(item).partition(":")[0]
    return _told(_normal(path)) if isinstance(path, str) and path else "a device"


def _pod_faults(pod: t.Any, allowed: t.Iterable[str]) -> t.Iterator[str]:
    spec = _mapping(_field(pod, "spec"))
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        if _field(spec, name) is True:
            yield f"environment.pod_spec sets {name}."
    yield from _context_faults(_field(spec, "securityContext"), "environment.pod_spec")
    for kind in ("containers", "initContainers", "ephemeralContainers"):
        for container in _items(_field(spec, kind)):
            name = _field(container, "name")
            where = (
                f"environment.pod_spec, container {_told(name)},"
                if isinstance(name, str) and name
                else "environment.pod_spec"
            )
            yield from _context_faults(_field(container, "securityContext"), where)
    for volume in _items(_field(spec, "volumes")):
        path = _field(_field(volume, "hostPath"), "path")
        if isinstance(path, str) and not _is_allowed(_normal(path), allowed):
            yield f"environment.pod_spec mounts {_told(_normal(path))} of the host (hostPath)."


def _context_faults(context: t.Any, where: str) -> t.Iterator[str]:
    for name in ("privileged", "allowPrivilegeEscalation"):
        if _field(context, name) is True:
            yield f"{where} sets {name}."
    user = _field(context, "runAsUser")
    if isinstance(user, (int, float)) and not isinstance(user, bool) and user == 0:
        yield f"{where} runs as user 0."
    for capability in _items(_field(_field(context, "capabilities"), "add")):
        yield f"{where} adds the capability {_told(capability)}."


def _field(value: t.Any, name: str) -> t.Any:
    """A field of a pod, in any case: the master decodes pods with Go's JSON, which takes ``hostnetwork`` for ``hostNetwork``."""
    if not isinstance(value, dict):
        return None
    if name in value:
        return value[name]
    return next((item for key, item in value.items() if isinstance(key, str) and key.lower() == name.lower()), None)


def _mapping(value: t.Any) -> Plain:
    return value if isinstance(value, dict) else {}


def _items(value: t.Any) -> list[t.Any]:
    return value if isinstance(value, list) else []


def _told(text: t.Any) -> str:
    return masked_text(str(text)[:256])


def storage_fault(storage: t.Any, allowed_paths: t.Iterable[str]) -> str | None:
    """Say that checkpoints go to a path that is not allowed; None for object stores and where no storage is set.

    :param storage: ``checkpoint_storage`` of an experiment, a workspace or the master.
    :param allowed_paths: what is below one of them is allowed too.
    """
    kind = _mapping(storage).get("type")
    # A directory is one of the container's, mounted by other means (schemas/expconf/v0/directory.json).
    key = {"shared_fs": "host_path", "directory": "container_path"}.get(kind) if isinstance(kind, str) else None
    if key is None:
        return None
    path = storage.get(key)
    if not isinstance(path, str) or not path:
        return f"Storage of the type {kind} has no {key}."
    if any(_below(_normal(path), _normal(entry)) for entry in allowed_paths):
        return None
    return f"Checkpoints go to {_told(_normal(path))} ({kind}), which is not allowed."


STATIC_KEYS = ("access_key", "secret_key", "connection_string", "credential")


def static_keys(storage: t.Any) -> list[str]:
    """The names of the static keys that a storage has. A mask counts: it stands for one."""
    found = _mapping(storage)
    return [name for name in STATIC_KEYS if found.get(name)]


LONGEST_LIST = 20
"""Wrong keys that are told of one configuration."""


def config_faults(config: t.Any) -> list[str]:
    """What nothing reads in a template's configuration, what is deprecated, and what was removed, a sentence each."""
    if not isinstance(config, dict):
        return []
    wrong = wrong_keys(config, LONGEST_LIST)
    faults = [f"{_told(key.path)} is no key of experiments or tasks; {key.nearest} is." for key in wrong]
    faults += [f"{key} is deprecated: {why}." for key, why in deprecated_keys(config)]
    searcher = _mapping(config.get("searcher")).get("name")
    if isinstance(searcher, str) and searcher in REMOVED_SEARCHERS:
        faults.append(f"The searcher {searcher} has been removed.")
    return faults
