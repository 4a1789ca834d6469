# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the JSON Schema of manifests: schemas.py FOLDER"""

from __future__ import annotations

import pathlib
import sys

from ansible_collections.determined.ai.plugins.module_utils._gitops.schema import FILE, schema_text

folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
(folder / FILE).write_text(schema_text())
