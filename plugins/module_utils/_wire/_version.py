# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The collection's version, for the user agent: a module that runs on a remote host has no galaxy.yml beside it.

A test holds it equal to the one in galaxy.yml.
"""

from __future__ import annotations

COLLECTION_VERSION = "1.0.0"
