# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The checkpoint storage of a workspace: what is declared, against what the server shows of what it has.

The server shows S3's two keys as asterisks, would store asterisks that it is sent back, and answers 200 to a storage without
keys, which wipes those that were there (API page ml-resources, section 7 and trap 16).
"""

from __future__ import annotations

from .._wire.errors import InvalidOption
from .config_schema import wrong_keys_told
from .free_form import as_stored, check_free_form
from .kind import Normal, same_config
from .masking import KEEP, MASK, kept, mask_places, with_keeps

OPTION = "checkpoint_storage"
S3_KEYS = ("access_key", "secret_key")


def as_live(config: Normal | None) -> Normal | None:
    """A storage as the server shows it, without the nulls that it adds for each key that its type could have."""
    found = {name: value for name, value in (config or {}).items() if value is not None}
    return found or None


def check_storage(declared: Normal) -> None:
    """Refuse a storage that can't be right.

    :raises InvalidOption: masks, no type, or keys that no storage has.
    """
    masks = mask_places(declared, OPTION)
    if masks:
        raise InvalidOption(
            f"{', '.join(masks)} is a mask (asterisks), which is not a value: give the value, or leave it out to keep the live one."
        )
    if declared and not declared.get("type"):
        raise InvalidOption(f"{OPTION} lacks type: shared_fs, directory, s3, gcs or azure.")
    check_free_form(OPTION, declared)
    wrong = wrong_keys_told({OPTION: declared})
    if wrong:
        raise InvalidOption(f"{OPTION} has keys that no storage knows: {wrong}.")


def declared_storage(declared: Normal, live: Normal | None, always: bool) -> tuple[Normal | None, Normal]:
    """Work out what a declared storage means.

    :param declared: the option; empty for none.
    :param live: the live storage, see `as_live`.
    :param always: whether declared keys are written even if all else is as declared.
    :returns: the storage as it will be shown, and the keys that have to be written with it, if any.
    :raises InvalidOption: the live keys would be wiped, or there is nothing to keep.
    """
    declared = {name: value for name, value in as_stored(declared).items() if value is not None}
    if not declared:
        return None, {}
    live = live or {}
    declared = kept(declared, live, OPTION)
    if declared["type"] != "s3":
        return declared, {}
    keys = {name: declared.pop(name) for name in S3_KEYS if name in declared}
    given = {name: value for name, value in keys.items() if value not in ("", MASK)}
    held = [name for name in S3_KEYS if live.get("type") == "s3" and name in live]
    # Left out or to be kept, and its value unknown to everybody here.
    unknown = [name for name in held if keys.get(name, MASK) == MASK]
    shown = {**declared, **dict.fromkeys([*given, *unknown], MASK)}
    same = same_config(live, shown)
    if same and not (always and given):
        return shown, {}
    if unknown:
        raise InvalidOption(
            f"{OPTION} does not give {' and '.join(unknown)}, and this change would wipe the live one on the server: give the value, "
            "or an empty text to have it wiped."
        )
    return shown, given


def on_wire(storage: Normal | None, keys: Normal) -> Normal:
    """The storage as it is sent; none is an empty mapping."""
    return {**(storage or {}), **keys}


def storage_with_keeps(live: Normal) -> Normal:
    """The live storage as an export declares it: a place holder stands for each secret, the masked ones too."""
    found: Normal = with_keeps(live)
    return {name: KEEP if value == MASK else value for name, value in found.items()}
