# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""What is taken out of the archive for an edit goes back there, also when the edit fails."""

from __future__ import annotations

from .._wire.errors import DeterminedError
from .._wire.session import Session, route


def archive_again(session: Session, plural: str, number: int, error: DeterminedError) -> None:
    """Put an object back into the archive after an edit that failed.

    :param plural: what it is, as paths have it: ``models``.
    :param error: the failure of the edit.
    :raises DeterminedError: it could not be, in words that name the first failure too.
    """
    try:
        session.write("POST", route(plural, number, "archive"))
    except DeterminedError as second:
        raise type(error)(
            f"{error} For this edit the {plural.removesuffix('s')} had been unarchived, and it could not be archived again: {second}",
            error.failure,
        ) from error
