# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""Secrets in configurations: where one stands in clear, and by which rule it is taken for one.

What is found says neither the value nor a hash of it. What masking hides, it hides rather too much than too little; a finding
that is none costs somebody an hour. So the expressions of ``masking.py`` find the candidates, and the rules here let go of
what only describes a secret (``TOKEN_URL``), names a token of a language model (``pad_token``), or refers to one (``$X``).
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import math
import re
import typing as t
from collections import Counter

from .._kinds.masking import ACCELERATORS, MASK, SECRET_KEY, SECRET_NAME, SECRET_PART, SECRET_TEXT, SIGNS

NAMED, FORMAT, PART, RANDOM, MASKED = "telling name", "known format", "part of a text", "random text", "masked"
"""The rules: a literal under a name such as password; the form of a well-known service's token, or of a private key; the
password of a URL and the like; 20 characters or more above 4 bits each; a mask, which says that something is set."""


class Hit(t.NamedTuple):
    """Where a secret stands.

    :ivar path: such as ``environment.environment_variables.DB_PASSWORD`` or ``entrypoint[3]``; a key that is itself a secret
        is masked in it.
    :ivar rule: one of the rules above.
    :ivar mark: a keyed digest of the secret, which follows it over time; None without a key.
    """

    path: str
    rule: str
    mark: str | None = None


def keyed_digest(key: bytes, secret: t.Any) -> str:
    """64 bits of an HMAC-SHA256, in hex: enough to tell secrets apart, useless without the key.

    :param secret: a text or a number; the number 5 and the text ``5`` are the same secret.
    """
    return hmac.new(key, str(secret).encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:16]


def find_secrets(document: t.Any, *, evidence_key: bytes | None = None, masks_count: bool = False) -> list[Hit]:
    """All secrets that stand in clear in a configuration, sorted by path.

    A variable that is listed for cpu, cuda and rocm, as the master stores each ([live]), is one. What stands in
    ``valueFrom`` of a variable refers to a secret of Kubernetes.

    :param document: plain data of any shape: a template's, task's or experiment's config, or a part of the master's.
    :param evidence_key: gives each hit its mark.
    :param masks_count: whether a mask, in which the server shows what is set, is a hit too.
    """
    hits: set[Hit] = set()

    def tell(path: _Path | None, found: t.Iterable[tuple[str, str]]) -> None:
        for rule, secret in found:
            if rule != MASKED or masks_count:
                mark = None if evidence_key is None or rule == MASKED else keyed_digest(evidence_key, secret)
                hits.add(Hit(_shown(path), rule, mark))

    # Not recursive: the master takes documents that are nested deeper than Python's stack.
    stack: list[_Node] = [(document, "", "", False, None)]
    while stack:
        node = stack.pop()
        value, name, place, identifies, path = node
        if isinstance(value, dict):
            for child in _members(node):
                value, name, place, identifies, path = child
                if len(name) >= _SHORTEST_KEY and (found := _in_key(path)):
                    tell(path, found)
                if isinstance(value, (dict, list)):
                    stack.append(child)
                elif found := _in_value(name, value, place, identifies):
                    tell(path, found)
        elif isinstance(value, list):
            _walk_list(node, stack, tell)
        else:
            tell(path, _in_value(name, value, place, identifies))
    return sorted(hits)


_Path = tuple[t.Any, "str | int"]
"""The path of the parent, None for the document itself, and a key or index: paths are put together for hits only."""

_SECRETS, _VARIABLES, _HYPERPARAMETERS, _REGISTRY = (
    "secrets",
    "environment_variables",
    "hyperparameters",
    "registry_auth",
)
_PLACES = frozenset({_VARIABLES, _HYPERPARAMETERS, _REGISTRY})


_Node = tuple[t.Any, str, str, bool, "_Path | None"]
"""A value, the name that tells what it is, the place that it stands in, whether it identifies something, and its path. A plain
tuple: a named one takes three times as long to make, and there are hundreds in a configuration."""


def _members(node: _Node) -> t.Iterator[_Node]:
    mapping, parent, around, identifying, path = node
    variable = mapping.get("name")
    for key, item in mapping.items():
        name = str(key)
        if (item is None and len(name) < _SHORTEST_KEY) or (name == "valueFrom" and isinstance(variable, str)):
            continue
        place = around
        if not place and name in _PLACES:
            place = name
        elif name == _SECRETS and parent == "data":
            # Secrets under any names (API page ml-resources, section 3.1).
            place = _SECRETS
        identifies = identifying or _identifies(name)
        if place == _VARIABLES and name in ACCELERATORS:
            yield item, _VARIABLES, place, identifies, path
        elif name == "value" and isinstance(variable, str):
            # Kubernetes writes an environment variable as {"name": ..., "value": ...}.
            shown = variable if _VARIABLE.fullmatch(variable) and not _in_text(variable) else name
            yield item, variable, _VARIABLES, identifies or _identifies(variable), (path, shown)
        elif place == _HYPERPARAMETERS and name in {"val", "vals"}:
            # {"type": "const", "val": ...} is the hyperparameter that it stands under.
            yield item, parent, place, identifies, (path, name)
        else:
            yield item, name, place, identifies, (path, name)


def _walk_list(
    node: _Node, stack: list[_Node], tell: t.Callable[[_Path | None, t.Iterable[tuple[str, str]]], None]
) -> None:
    items, parent, place, identifies, above = node
    option = ""
    for index, item in enumerate(items):
        path: _Path = (above, index)
        if not isinstance(item, str):
            stack.append((item, parent, place, identifies, path))
            option = ""
            continue
        if place == _VARIABLES and parent == _VARIABLES:
            variable, equals, content = item.partition("=")
            if equals and _VARIABLE.fullmatch(variable) and not _in_text(variable):
                tell((above, variable), _in_value(variable, content, _VARIABLES, _identifies(variable)))
                continue
            tell(path, _in_value("", item, "", identifies))
            continue
        # An option of a command and its value may be two items: ["--password", "x"].
        name = option if option and not item.startswith("-") else parent
        tell(path, _in_value(name, item, place, identifies or _identifies(option)))
        option = item.lstrip("-") if _OPTION.fullmatch(item) else ""


_VARIABLE = re.compile(r"[A-Za-z_][\w.-]{0,127}")
_OPTION = re.compile(r"--?[A-Za-z][\w.-]{0,63}")


def _shown(path: _Path | None) -> str:
    parts: list[str] = []
    while path is not None:
        path, part = path
        if isinstance(part, int):
            parts.append(f"[{part}]")
        else:
            shown = MASK if _in_text(part) else part if len(part) <= 128 else f"{part[:128]}..."
            parts.append(shown if path is None else f".{shown}")
    return "".join(reversed(parts))


def _in_key(path: _Path | None) -> tuple[tuple[str, str], ...]:
    key = path[1] if path else ""
    return _in_text(key) if isinstance(key, str) else ()


# What a name says of its value.
_STRONG, _WEAK, _NOTHING, _ABOUT = "strong", "weak", "nothing", "about"

_ABOUT_WORDS = (
    "file path dir url uri endpoint host port type method mode enabled disabled required provider algorithm alg name namespace "
    "length len size count ttl timeout expiry expires expiration days limit version class domain scope scopes audience issuer "
    "header prefix suffix format region policy sock ref arn backend manager store dim dims"
)
_ABOUT_NAME = re.compile(
    rf"(?i:[_.-](?:{'|'.join(_ABOUT_WORDS.split())}))$|(?<=[a-z0-9])(?:{'|'.join(w.title() for w in _ABOUT_WORDS.split())})$|"
    # the words of language models, and of training
    r"(?i:(?:^|[_.-])(?:pad|padding|eos|bos|eot|sos|unk|unknown|cls|sep|separator|mask|special|image|audio|video|start|stop|end|"
    r"begin|new|next|prev|first|last|num|n|max|min|avg|total|per|input|output|prompt|completion|context|vocab|added|additional|"
    r"extra|patch|register|dummy|sentinel|generated|draft|visual|word|sub|seq|batch)[_-]?(?:new[_-]?)?tokens?(?:[_-]?ids?)?$|"
    r"token[_-]?(?:ids?|counts?|len|embed\w*|dim|dropout|drop|mix\w*|level|classification|merg\w*|prun\w*|budget|shift|weight\w*|"
    r"rate|num|pos\w*|mask\w*|pool\w*|bucket\w*|throughput|per\w*)$|tokeni[sz]|tokens?[_-]per|"
    r"(?:forward|backward|single|multi|two|one|first|second|num|n|by)[_-]?pass$|^pass[_-](?:rate|through|manager|k|at)|"
    r"(?:public|sort|primary|foreign|partition|cache|group|label|feature|dict|data|batch|metric|query|object|image|text)[_-]?key$|"
    r"pull[_-]?secrets?|passwordless)"
)
"""Names that describe a secret or where it is, and those that only share a word with one."""

_WEAK_WORDS = re.compile(r"auth[a-z]*|cookie|jwt|(?:^|_)(?:key|sas|dsn|pat)$", re.IGNORECASE)
_BARE = frozenset({"token", "auth"})


@functools.lru_cache(maxsize=8192)
def _telling(name: str) -> str:
    """Whether what stands under a name is a secret: for sure, if it looks so, or not.

    `SECRET_NAME` holds words (``auth``, ``cookie``, ``key`` at the end) under which other things stand as often.
    """
    by_key = SECRET_KEY.search(name)
    if by_key is None and not SECRET_NAME.search(name):
        return _NOTHING
    if _ABOUT_NAME.search(name):
        return _ABOUT
    return _STRONG if by_key or SECRET_NAME.search(_WEAK_WORDS.sub("", name)) else _WEAK


_IDENTIFIES = re.compile(
    r"digest|checksum|sha\d|md5|hash|commit|revision|uuid|guid|image|fingerprint|(?:^|[_.-])ids?$|(?<=[a-z])I[dD]s?$",
    re.IGNORECASE,
)


@functools.lru_cache(maxsize=8192)
def _identifies(name: str) -> bool:
    """Whether a name is that of a digest, commit, uuid, id or image, whose values are random by nature."""
    return _IDENTIFIES.search(name) is not None


_SHORTEST = 6
"""Characters of the shortest text in which a secret can be told by its form: ``://:x@``."""

_SHORTEST_KEY = 15
"""Characters of the shortest key that may itself be a token: a prefix of five and ten more."""

_CACHED = 512
"""Characters up to which a text's findings are remembered: the same values stand in many configurations."""


def _in_value(name: str, value: t.Any, place: str, identifies: bool) -> tuple[tuple[str, str], ...]:
    """What is found in a value: rules, and the secrets that they found."""
    if value is None or value == "" or isinstance(value, bool):
        return ()
    if not isinstance(value, str):
        # Numbers: a PIN is a password, but no number is a token.
        telling = place == _SECRETS or (_telling(name) == _STRONG and "token" not in name.lower())
        return ((NAMED, str(value)),) if telling else ()
    if len(name) > _CACHED or len(value) > _CACHED:
        return _judged(name[:_CACHED], value, place, identifies)
    return _judged_before(name, value, place, identifies)


def _judged(name: str, text: str, place: str, identifies: bool) -> tuple[tuple[str, str], ...]:
    if not text.strip("*"):
        return ((MASKED, ""),)
    if (
        _is_telling(name, text, place)
        and _is_literal(text)
        and not ("token" in name.lower() and _NUMBER.fullmatch(text))
    ):
        return ((NAMED, text),)
    return _in_text(text, identifies) if len(text) >= _SHORTEST else ()


_judged_before = functools.lru_cache(maxsize=16384)(_judged)


def _is_telling(name: str, text: str, place: str) -> bool:
    if place == _SECRETS:
        return True
    strength = _telling(name)
    if strength == _STRONG and name.lower() in _BARE:
        # A hyperparameter may be called token, and what is called auth is a method but in a registry's credentials.
        return place == _REGISTRY or (place != _HYPERPARAMETERS and name.lower() == "token") or _is_made_up(text)
    return strength == _STRONG or (strength == _WEAK and place == _VARIABLES and _is_made_up(text))


_REFERENCE = re.compile(
    r"\$?\{\{[^{}]*\}\}|\$\{\w+(?::?\?[^{}$]*|:?-)?\}|\$\(.*|\$[A-Za-z_]\w*|`[^`]*`|<[^<>]*>|%\w+%|\b(?:vault|arn):\S+|\bop://\S+",
    re.DOTALL,
)
"""``$X``, ``${X}``, ``${X:?told}``, ``$(command)``, ``{{ x }}``, ``<your password>``, and what secret stores are asked for.
``${X:-y}`` holds a literal."""

_PLAIN = re.compile(r"true|false|yes|no|on|off|none|null|nil|enabled|disabled", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?[\d._,]{1,40}(?:e[+-]?\d{1,5})?[kmbtg]?", re.IGNORECASE)
_PATH_TEXT = re.compile(
    r"(?:file://|~?/|\.{1,2}/)\S*|[\w./-]+\.(?:json|ya?ml|pem|key|crt|cer|p12|pfx|jks|cfg|conf|ini|toml|txt|env|netrc)"
)
_ADDRESS = re.compile(r"[A-Za-z][\w+.-]{0,30}://")


def _is_literal(text: str) -> bool:
    """Whether a text is a value: not masked, no reference, no path and no address, whose password is found for itself."""
    text = text.strip().strip("\"'")
    text = re.sub(r"^(?:bearer|basic|token)\s+", "", text, flags=re.IGNORECASE)
    if not text.strip("*") or _PLAIN.fullmatch(text) or _ADDRESS.match(text):
        return False
    if _PATH_TEXT.fullmatch(text):
        # Base64 has slashes too, and may begin with one.
        return any(_is_random(part) for part in text.split("/"))
    return re.search(r"\w", _REFERENCE.sub("", text)) is not None or not _REFERENCE.search(text)


def _is_made_up(text: str) -> bool:
    """Whether a text can be a secret where the name does not decide: a word of letters and digits."""
    return (
        len(text) >= 8
        and re.search(r"[\s/:]", text) is None
        and re.search(r"\d", text) is not None
        and re.search(r"[A-Za-z]", text) is not None
    )


_ASSIGNED = re.compile(
    # NAME=value, name = value, --name=value, --name value
    r"(?<![\w.-])(--?)?([A-Za-z_][\w.-]{0,63})(?(1)(?:=|\s{1,8})|\s?=\s?)|"
    # JSON inside a text
    r"[\"']([A-Za-z_][\w.-]{0,63})[\"']\s{0,4}:\s{0,4}(?=[\"'])"
)
_ASSIGNED_VALUE = re.compile(r"\"([^\"]{1,999})\"|'([^']{1,999})'|([^\s,;&|\"']{1,999})")
_EXPRESSION = re.compile(r"-|=|[A-Za-z_][\w.]*[\[(]")
"""How what follows an assignment begins that is no value: another option, a comparison, a call."""

_WORDS = re.compile(r"(?:sk-|hf_|pypi-|npm_)[a-z]{2,12}(?:[-_.][a-z0-9]{1,12})+")
"""Names of ordinary words that only begin as a token does: ``sk-learn-random-forest``."""


@functools.lru_cache(maxsize=8192)
def _in_short_text(text: str, identifies: bool) -> tuple[tuple[str, str], ...]:
    return tuple(_scan(text, identifies))


_CONSPICUOUS = re.compile("|".join([r"[=:]", r"(?:^|\s)-", r"\S{20}", *map(re.escape, SIGNS)]))
"""In a text in lower case: an assignment, an option of a command, a word that is long enough to be random, a sign of a secret."""


def is_plain(text: str) -> bool:
    """Whether a text has nothing about it by which a secret in it could be told: plain words, as most texts are.

    It costs a tenth of what a search for secrets does.
    """
    return not _CONSPICUOUS.search(text.lower())


def _in_text(text: str, identifies: bool = False) -> tuple[tuple[str, str], ...]:
    """What is found by its form inside a text."""
    if is_plain(text):
        return ()
    return _in_short_text(text, identifies) if len(text) <= _CACHED else tuple(_scan(text, identifies))


def _scan(text: str, identifies: bool) -> t.Iterator[tuple[str, str]]:
    found: list[tuple[str, str]] = []

    def hide(match: re.Match[str], rule: str, secret: str) -> str:
        """Put a mask in the place of a secret, so that no other rule finds it again."""
        if not secret:
            return match.group()
        found.append((rule, secret))
        return match.group().replace(secret, MASK)

    lower = text.lower()
    told = any(sign in lower for sign in SIGNS)
    if told:
        text = SECRET_TEXT.sub(lambda m: hide(m, FORMAT, "" if _WORDS.fullmatch(m.group()) else m.group()), text)
    if "=" in text or "-" in text or ":" in text:
        shown, end = [], 0
        for start, stop in _assigned(text):
            found.append((NAMED, text[start:stop]))
            shown += [text[end:start], MASK]
            end = stop
        text = "".join([*shown, text[end:]])
    if told:
        text = SECRET_PART.sub(lambda m: hide(m, PART, _part(m)), text)
        text = _USER_PART.sub(lambda m: hide(m, PART, m[1] if _is_made_up(m[1]) else ""), text)
    yield from found
    if not identifies and len(text) >= _RANDOM_LENGTH:
        yield from ((RANDOM, word) for word in _CANDIDATE.findall(_PUBLIC.sub(" ", text)) if _is_random(word))


def _assigned(text: str) -> t.Iterator[tuple[int, int]]:
    """Where the secrets begin and end that are assigned to telling names in a text."""
    position = 0
    while match := _ASSIGNED.search(text, position):
        position = match.end()
        name = match[2] or match[3]
        strength = _telling(name)
        if strength in (_NOTHING, _ABOUT) or _EXPRESSION.match(text, position):
            continue
        assigned = _ASSIGNED_VALUE.match(text, position)
        if not assigned or not _is_literal(value := assigned[assigned.lastindex or 0]):
            continue
        secret = not ("token" in name.lower() and _NUMBER.fullmatch(value))
        if strength == _WEAK or name.lower() in _BARE:
            secret = _is_made_up(value)
        if secret:
            position = assigned.end()
            yield assigned.span(assigned.lastindex or 0)


def _part(match: re.Match[str]) -> str:
    """The secret after what `SECRET_PART` shows, empty if it is none. Assignments are judged before, and better."""
    lead = match[match.lastindex or 0]
    secret = match.group()[len(lead) :]
    lower = lead.lower()
    if not _is_literal(secret):
        return ""
    if lower.startswith("bearer") or lower[1:] == "key=":
        return secret if _is_made_up(secret) or _is_random(secret) else ""
    return "" if match.lastindex == 4 else secret


_USER_PART = re.compile(r"\bhttps?://([^\s/:@\"']{20,200})(?=@)")
"""A token in place of a user: no name of one is that long."""

_RANDOM_LENGTH, _RANDOM_BITS = 20, 4.0
_LONGEST_RANDOM = 256
"""Characters above which a random text is data: no secret without a form of its own is that long."""

_CANDIDATE = re.compile(r"[^\s\"'`,;()\[\]{}<>|&?]{20,}")
_PUBLIC = re.compile(
    # certificates and public keys
    r"-----BEGIN (?:CERTIFICATE|[A-Z ]{0,40}PUBLIC KEY)-----[^-]*(?:-----END [A-Z ]{0,40}-----)?|\bAAAA[BCE][0-9A-Za-z+/]{20,}={0,2}|"
    # digests, as Docker, pip and browsers write them; addresses, whose secrets have a place of their own
    r"\b(?:sha(?:1|256|384|512)|md5)[-:=][0-9A-Za-z+/=]+|\b[A-Za-z][\w+.]{0,20}://[^\s\"']+|"
    # uuids, commits and other numbers in hex
    r"(?<![0-9A-Za-z])(?:0x)?[0-9a-fA-F]{7,}(?:-[0-9a-fA-F]{4,12}){0,4}(?![0-9A-Za-z])|"
    # ULIDs
    r"\b[0-7][0-9A-HJKMNP-TV-Z]{25}\b"
)
_BASE64 = re.compile(r"[A-Za-z0-9+/]{20,}={0,2}")
_AMAZON = re.compile(r"(?=.*[a-z])(?=.*[A-Z])(?=.*\d)(?!.*[a-z]{6})[A-Za-z0-9+/]{40}")
"""Amazon's secret keys: 40 characters of base64; a path of that length would have a word in it."""
_STRUCTURE = re.compile(r"[/.:=@\\]+")


def _is_random(word: str) -> bool:
    """Whether a word is 20 characters or more above 4 bits of Shannon entropy each, and is not made of words.

    Entropy alone does not tell: ``MyVeryLongTrialClassNameForImageNet`` is above 4 bits too. A random text changes between
    small letters, capitals, digits and signs at almost every second character; one made of words does so a few times.
    """
    if not _RANDOM_LENGTH <= len(word) <= _LONGEST_RANDOM:
        return False
    if _AMAZON.fullmatch(word) and _entropy(word) > _RANDOM_BITS:
        return True
    pieces = [word] if _BASE64.fullmatch(word) else _STRUCTURE.split(word)
    return any(
        len(piece) >= _RANDOM_LENGTH and _entropy(piece) > _RANDOM_BITS and _changes(piece) > 1 / 3 for piece in pieces
    )


def _entropy(text: str) -> float:
    """Shannon entropy in bits per character."""
    return -sum(count / len(text) * math.log2(count / len(text)) for count in Counter(text).values())


_CLASSES = str.maketrans(
    {
        **dict.fromkeys("abcdefghijklmnopqrstuvwxyz", "a"),
        **dict.fromkeys("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "A"),
        **dict.fromkeys("0123456789", "0"),
        **dict.fromkeys("!#$%^*~+", "!"),
    }
)
_CHANGES = frozenset({"aA", "a0", "a!", "A0", "A!", "0a", "0A", "0!", "!a", "!A", "!0"})
"""Not from a capital to a small letter: that is how a word begins."""


def _changes(text: str) -> float:
    """The share of neighbouring characters that are of different classes."""
    classes = text.translate(_CLASSES)
    return sum(classes[index : index + 2] in _CHANGES for index in range(len(classes) - 1)) / (len(classes) - 1)
