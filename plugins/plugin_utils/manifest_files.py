# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Reading a manifest on the controller: a folder of YAML files with overlays, or a mapping given inline.

The files are parsed by Ansible's own loader; what is built from its nodes is plain data at once. Its own data is that with an
origin on every value, which costs twice the parsing, and has lost the first of two equal keys.
"""

from __future__ import annotations

import datetime
import os
import pathlib
import re
import typing as t
from collections.abc import Mapping, Sequence

import yaml
from ansible.errors import AnsibleError, AnsibleValueOmittedError
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import AnsibleVaultError, EncryptedString
from ansible.parsing.yaml.loader import AnsibleLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.determined.ai.plugins.module_utils._gitops.kinds import KINDS
from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest import (
    Deferred,
    Document,
    Locked,
    Manifest,
    ManifestErrors,
    Odd,
    Path,
    Position,
    Problems,
    is_number_like,
)
from ansible_collections.determined.ai.plugins.module_utils._gitops.manifest_builder import build
from ansible_collections.determined.ai.plugins.module_utils._kinds.kind import Declarable
from ansible_collections.determined.ai.plugins.module_utils._kinds.lookup import nearest
from ansible_collections.determined.ai.plugins.module_utils._wire.errors import InvalidOption
from ansible_collections.determined.ai.plugins.plugin_utils.in_controller import plain

try:
    # Private to ansible-core; without it, what is wrong with an inline manifest is told without a line.
    from ansible._internal._datatag._tags import Origin
except ImportError:
    Origin = None

ENVIRONMENTS = "environments"
SETTINGS = "determined"
SUFFIXES = (".yml", ".yaml")
INLINE = "manifest"
TAG = "tag:yaml.org,2002:"
MERGE = "<<"
SURPRISING = re.compile(r"[-+]?0[0-7_]*[0-7]|.*:.*")
"""Numbers that are octal or to the base of 60 in YAML 1.1, and to nobody's eye."""


def load_manifest(
    manifest: str | Mapping[str, t.Any],
    environment: str | None,
    *,
    loader: DataLoader,
    templar: Templar,
    kinds: Sequence[Declarable] = KINDS,
    prune: Mapping[str, str] | None = None,
) -> Manifest:
    """Read and check a manifest. Makes no call to a master.

    :param manifest: a folder, relative to the playbook's, or the kinds themselves, templated already.
    :param environment: whose overlay goes over the base, or None.
    :param loader: finds and decrypts files.
    :param templar: resolves templates and vaulted text.
    :param prune: takes the place of the settings' ``prune``.
    :raises ManifestErrors: everything that is wrong, at once.
    """
    if isinstance(manifest, Mapping):
        if environment:
            raise ManifestErrors(
                [(Position("environment", 0), "overlays are of folders: a manifest given inline has none.")]
            )
        return _load_inline(manifest, loader, templar, kinds, prune)
    if not manifest:
        raise ManifestErrors([(Position("manifest", 0), "its folder's name is empty.")])
    return _Folder(pathlib.Path(loader.path_dwim(manifest)), loader, templar).load(environment or None, kinds, prune)


class _Folder:
    """A folder that is being read.

    :ivar problems: what was wrong so far.
    """

    def __init__(self, root: pathlib.Path, loader: DataLoader, templar: Templar) -> None:
        self._root = root
        self._loader = loader
        self._templar = templar
        self.problems: Problems = []

    def load(self, environment: str | None, kinds: Sequence[Declarable], prune: Mapping[str, str] | None) -> Manifest:
        """Read the base, one overlay, and the settings of all.

        :raises ManifestErrors: everything that is wrong.
        """
        if not self._root.is_dir():
            what = "is a file" if self._root.exists() else "is not there"
            raise ManifestErrors([(Position(str(self._root), 0), f"the manifest's folder {what}.")])
        environments = self._environments()
        if environment is not None and environment not in environments:
            known = f" There are {', '.join(environments)}." if environments else " There are none."
            self._wrong(
                Position(ENVIRONMENTS, 0),
                f"there is no environment {environment!r}.{nearest(environment, environments) or known}",
            )
        top = self._settings(self._root)
        overlays = {name: self._settings(self._root / ENVIRONMENTS / name) for name in environments}
        self._check_clusters(top, overlays)
        base = self._documents(self._root)
        overlay = self._documents(self._root / ENVIRONMENTS / environment) if environment in environments else []
        settings = [found for found in (top, overlays.get(environment or "")) if found is not None]
        if not (base or overlay or settings or self.problems):
            self._wrong(
                Position(str(self._root), 0),
                "the manifest's folder has no YAML file (*.yml, *.yaml) outside environments.",
            )
        return build(
            base,
            overlay,
            settings,
            kinds=kinds,
            folder=str(self._root),
            environment=environment,
            problems=self.problems,
            prune=prune,
        )

    def _wrong(self, position: Position, sentence: str) -> None:
        self.problems.append((position, sentence))

    def _shown(self, path: pathlib.Path) -> str:
        return str(path.relative_to(self._root))

    def _environments(self) -> list[str]:
        folder = self._root / ENVIRONMENTS
        try:
            found = [entry for entry in os.scandir(folder) if entry.name[0] != "."]
        except FileNotFoundError:
            return []
        except OSError as error:
            self._wrong(Position(ENVIRONMENTS, 0), f"can't be read: {error.strerror}.")
            return []
        for entry in found:
            if entry.name.endswith(SUFFIXES) and not entry.is_dir():
                shown = f"{ENVIRONMENTS}/{entry.name}"
                self._wrong(Position(shown, 0), "it is in no environment: each has a folder of its own here.")
        return sorted(entry.name for entry in found if entry.is_dir())

    def _settings(self, folder: pathlib.Path) -> Document | None:
        found = [path for suffix in SUFFIXES if (path := folder / f"{SETTINGS}{suffix}").exists()]
        if len(found) > 1:
            self._wrong(
                Position(self._shown(found[1]), 0),
                f"there is {found[0].name} beside it: which one counts can't be told.",
            )
        return self._document(found[0]) if found else None

    def _check_clusters(self, top: Document | None, overlays: dict[str, Document | None]) -> None:
        """Find two environments of one cluster: the second apply would undo the first."""
        seen: dict[str, str] = {}
        for name, document in overlays.items():
            for said in (document, top):
                cluster = said.content.get("cluster_id") if said and isinstance(said.content, dict) else None
                if cluster is None:
                    continue
                # A template may give each environment another one.
                if isinstance(cluster, str) and seen.setdefault(cluster, name) != name:
                    self._wrong(
                        said.place(("cluster_id",)),
                        f"cluster_id is {cluster!r} in two environments, {seen[cluster]} and {name}: each has a cluster of "
                        "its own.",
                    )
                break

    def _documents(self, folder: pathlib.Path) -> list[Document]:
        return [document for path in self._files(folder) if (document := self._document(path)) is not None]

    def _files(self, folder: pathlib.Path) -> list[pathlib.Path]:
        """The YAML files of kinds below a folder, in the order of their paths; links are followed."""
        found = []
        seen = set()

        def unread(error: OSError) -> None:
            self._wrong(Position(self._shown(pathlib.Path(error.filename)), 0), f"can't be read: {error.strerror}.")

        for here, folders, files in os.walk(folder, followlinks=True, onerror=unread):
            path = pathlib.Path(here)
            folders[:] = [
                name for name in folders if name[0] != "." and not (path == self._root and name == ENVIRONMENTS)
            ]
            if (real := os.path.realpath(here)) in seen:
                folders.clear()
                continue
            seen.add(real)
            for name in files:
                if name[0] == "." or not name.endswith(SUFFIXES):
                    continue
                if name.rpartition(".")[0] != SETTINGS:
                    found.append(path / name)
                elif path != folder:
                    self._wrong(
                        Position(self._shown(path / name), 0),
                        "settings stand at the top of the folder or of an overlay.",
                    )
        return sorted(found)

    def _document(self, path: pathlib.Path) -> Document | None:
        shown = self._shown(path)
        text = self._text(path, shown)
        if text is None:
            return None
        parser = AnsibleLoader(text)
        try:
            root = parser.get_single_node()
        except yaml.YAMLError as error:
            self.problems.append(_not_yaml(error, shown, text))
            return None
        finally:
            # With libyaml the parser has nothing to dispose of but a buffer; constructing scalars needs no stream.
            parser.dispose()
        if root is None or root.tag == f"{TAG}null":
            self._wrong(Position(shown, 1), "the file is empty: remove it, or declare a kind with an empty list ([]).")
            return None
        content = _Values(parser, shown, self.problems, self._templar).value(root)
        return Document(content, _lines(content, shown, root.start_mark.line + 1))

    def _text(self, path: pathlib.Path, shown: str) -> str | None:
        try:
            text = self._loader.get_text_file_contents(str(path))
            text.encode()
        except AnsibleVaultError:
            self._wrong(Position(shown, 1), "the file is vaulted as a whole, and no password given opens it.")
        except AnsibleError as error:
            cause = error.__cause__
            why = cause.strerror if isinstance(cause, OSError) and cause.strerror else error
            self._wrong(Position(shown, 0), f"can't be read: {why}.")
        except UnicodeEncodeError:
            self._wrong(Position(shown, 0), "is not text in UTF-8.")
        else:
            return t.cast(str, text)
        return None


class _Lined(dict[str, t.Any]):
    """A mapping that knows the lines of its keys, in their order."""

    __slots__ = ("lines",)
    lines: tuple[int, ...]


class _LinedList(list[t.Any]):
    """A list that knows the lines of its items."""

    __slots__ = ("lines",)
    lines: tuple[int, ...]


def _lines(content: t.Any, shown: str, first: int) -> t.Callable[[Path], Position]:
    """Find the position of what stands at a path of a document."""

    def place(path: Path) -> Position:
        value, line = content, first
        for step in path:
            if isinstance(value, _Lined) and step in value:
                line = value.lines[list(value).index(t.cast(str, step))]
                value = value[t.cast(str, step)]
            elif isinstance(value, _LinedList) and isinstance(step, int) and step < len(value):
                line = value.lines[step]
                value = value[step]
            else:
                break
        return Position(shown, line)

    return place


class _Values:
    """Makes plain data of the nodes of one file."""

    def __init__(self, parser: t.Any, shown: str, problems: Problems, templar: Templar) -> None:
        self._parser = parser
        self._shown = shown
        self._problems = problems
        self._templar = templar
        self._open: set[int] = set()
        self._flat: set[int] = set()

    def _wrong(self, node: yaml.Node, sentence: str) -> None:
        self._problems.append((Position(self._shown, node.start_mark.line + 1), sentence))

    def value(self, node: yaml.Node, safe: bool = True) -> t.Any:
        """The value of a node.

        :param safe: whether texts in it may be templates.
        """
        if isinstance(node, yaml.ScalarNode):
            if node.tag == f"{TAG}str":
                return self._text(node, safe)
            return self._scalar(node)
        if id(node) in self._open:
            self._wrong(node, "the value holds itself (an alias to what it stands in).")
            return None
        safe = safe and node.tag != "!unsafe"
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode) and node.tag in (f"{TAG}map", "!unsafe"):
                return self._mapping(node, safe)
            if isinstance(node, yaml.SequenceNode) and node.tag in (f"{TAG}seq", "!unsafe"):
                found = _LinedList(self.value(item, safe) for item in node.value)
                found.lines = tuple(item.start_mark.line + 1 for item in node.value)
                return found
        finally:
            self._open.discard(id(node))
        self._wrong(node, f"the tag {node.tag.removeprefix(TAG)} is not known here: !vault and !unsafe are.")
        return None

    def _text(self, node: yaml.ScalarNode, safe: bool) -> t.Any:
        text = node.value
        if "{" in text and ("{{" in text or "{%" in text or "{#" in text):
            return _template(text, self._templar) if safe else text
        # A text that was not put in quotes, and may have been meant as a number.
        if not node.style and text[:1] in "+-.0123456789" and is_number_like(text):
            return Odd(text, _number_hint(text))
        return text

    def _scalar(self, node: yaml.ScalarNode) -> t.Any:
        """What is no text, or has a tag."""
        if node.tag == f"{TAG}int" and node.value.isdigit() and node.value[0] != "0":
            return int(node.value)
        if node.tag == f"{TAG}timestamp":
            return Odd(node.value, f"{node.value} is a date in YAML, and JSON has none: put it in quotes.")
        try:
            value = self._parser.construct_object(node)
        except (yaml.YAMLError, ValueError) as error:
            what = getattr(error, "problem", None) or error
            self._wrong(node, f"{node.value!r} can't be read: {what}.")
            return None
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, EncryptedString):
            return _vaulted(value, self._templar)
        if isinstance(value, (int, float)):
            number = int(value) if isinstance(value, int) else float(value)
            if not node.style and SURPRISING.fullmatch(node.value):
                hint = f"{node.value} is the number {number} in YAML 1.1: write {number}, or put it in quotes."
                return Odd(number, hint)
            return number
        if isinstance(value, str):
            return str(value)
        self._wrong(node, f"the tag {node.tag.removeprefix(TAG)} is not known here: !vault and !unsafe are.")
        return None

    def _mapping(self, node: yaml.MappingNode, safe: bool) -> _Lined:
        names = [self._key(key) for key, _item in node.value]
        if id(node) not in self._flat and (len(set(names)) < len(names) or None in names):
            self._tell_wrong_keys(node, names)
        if MERGE in names:
            self._flat.add(id(node))
            try:
                self._parser.flatten_mapping(node)
            except yaml.YAMLError as error:
                self._wrong(node, f"what is merged ({MERGE}) is wrong: {getattr(error, 'problem', error)}.")
            names = [self._key(key) for key, _item in node.value]
        # What is merged comes first, and what stands here replaces it.
        pairs = {name: pair for name, pair in zip(names, node.value, strict=True) if name is not None and name != MERGE}
        found = _Lined((name, self.value(item, safe)) for name, (_key, item) in pairs.items())
        found.lines = tuple(key.start_mark.line + 1 for key, _item in pairs.values())
        return found

    def _key(self, node: yaml.Node) -> str | None:
        """A key as a text; None for what can't be one."""
        if node.tag == f"{TAG}str":
            return t.cast(str, node.value)
        if node.tag == f"{TAG}merge":
            return MERGE
        if not isinstance(node, yaml.ScalarNode):
            return None
        value = self._scalar(node)
        return str(value.value if isinstance(value, Odd) else value)

    def _tell_wrong_keys(self, node: yaml.MappingNode, names: list[str | None]) -> None:
        seen: dict[str, int] = {}
        for name, (key, item) in zip(names, node.value, strict=True):
            line = key.start_mark.line + 1
            if name is None:
                self._wrong(key, "a key is a text, this is a list or a mapping.")
            elif name in seen:
                self._wrong(key, f"the key {name!r} stands twice in one mapping, on line {seen[name]} already.")
            else:
                seen[name] = line
            # All values are looked at, also those that are lost.
            self.value(item)


def _template(text: str, templar: Templar) -> Deferred:
    return Deferred(text, False, lambda: _resolved(trust_as_template(text), templar))


def _vaulted(value: EncryptedString, templar: Templar) -> Deferred:
    return Deferred("", True, lambda: _resolved(value, templar))


def _resolved(value: t.Any, templar: Templar) -> t.Any:
    """Plain data of a template or of vaulted text.

    :raises Locked: a vault's password is missing.
    :raises InvalidOption: it can't be resolved.
    """
    try:
        return plain(templar.template(value))
    except AnsibleValueOmittedError:
        return None
    except AnsibleError as error:
        cause: BaseException | None = error
        while cause is not None:
            # Behind a variable it is an error of ansible-core's own that names its context.
            if isinstance(cause, AnsibleVaultError) or getattr(cause, "context", None) == "vault":
                raise Locked(f"it is vaulted, and can't be opened: {_sentence(cause)}") from error
            cause = cause.__cause__ or cause.__context__
        raise InvalidOption(f"the template can't be resolved: {_sentence(error)}") from error


def _sentence(error: AnsibleError) -> str:
    return f"{' '.join(str(error).split()).rstrip('.')}."


def _not_yaml(error: yaml.YAMLError, shown: str, text: str) -> tuple[Position, str]:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None)
    if problem == "but found another document":
        return Position(shown, mark.line + 1), "a second document begins: a file of a manifest has one."
    if mark is None:
        # An unprintable character, known by its place in the text.
        line = text.count("\n", 0, getattr(error, "position", 0)) + 1
        return Position(shown, line), f"this is not YAML: {getattr(error, 'reason', error)}."
    context = getattr(error, "context", None)
    return Position(shown, mark.line + 1), f"this is not YAML: {f'{context}, ' if context else ''}{problem}."


def _number_hint(text: str) -> str:
    mantissa, letter, exponent = text.lower().partition("e")
    if not letter:
        return f"{text} is a text in YAML 1.1: write {int(text, 8)} for the number, or put it in quotes."
    number = f"{mantissa}{'' if '.' in mantissa else '.0'}e{'' if exponent[0] in '+-' else '+'}{exponent}"
    return f"{text} is a text in YAML 1.1: write {number} for the number, or put it in quotes."


# --- inline ---


def _load_inline(
    manifest: Mapping[str, t.Any],
    loader: DataLoader,
    templar: Templar,
    kinds: Sequence[Declarable],
    prune: Mapping[str, str] | None,
) -> Manifest:
    def place(path: Path) -> Position:
        return _inline_place(manifest, path, loader.get_basedir())

    content = _inline(manifest, templar)
    settings = content.pop("settings", None)
    documents = []
    if settings is not None:
        documents.append(Document(settings, lambda path: place(("settings", *path))))
    return build([Document(content, place)], settings=documents, kinds=kinds, prune=prune)


def _inline(value: t.Any, templar: Templar) -> t.Any:
    """Plain data of what templating gave. Whether a text was in quotes can't be seen any more."""
    if isinstance(value, EncryptedString):
        return _vaulted(value, templar)
    if isinstance(value, Mapping):
        return {str(name): _inline(item, templar) for name, item in value.items()}
    if isinstance(value, str):
        text = str(value)
        if text[:1] in "+-.0123456789" and is_number_like(text):
            return Odd(text, _number_hint(text))
        return text
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_inline(item, templar) for item in value]
    if isinstance(value, datetime.date):
        return Odd(str(value), f"{value} is a date in YAML, and JSON has none: put it in quotes.")
    return plain(value)


def _inline_place(manifest: t.Any, path: Path, basedir: str) -> Position:
    """The position of what stands at a path, as far as Ansible knows it: that of the nearest key with an origin."""
    value, position = manifest, None
    for step in path:
        if isinstance(value, Mapping) and step in value:
            key = next(name for name in value if name == step)
            position = _origin(key, basedir) or position
            value = value[step]
        elif isinstance(value, Sequence) and isinstance(step, int) and step < len(value):
            value = value[step]
            first = next(iter(value), None) if isinstance(value, Mapping) else value
            position = _origin(first, basedir) or position
        else:
            break
    return position or Position(".".join(map(str, (INLINE, *path))), 0)


def _origin(value: t.Any, basedir: str) -> Position | None:
    origin = None if Origin is None else Origin.get_tag(value)
    if origin is None or not origin.path or not origin.line_num:
        return None
    return Position(os.path.relpath(origin.path, basedir), origin.line_num)
