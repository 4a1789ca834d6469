# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

# This module is private to the collection.
"""The guarded imports of requests and pydantic, the only place that knows they may be missing.

``ansible-test sanity`` imports every module where neither is installed, and ``ansible-doc`` must work there too.
So each name has a stand-in that a module can be imported with; `MISSING` says what a task must refuse to run without.
"""

from __future__ import annotations

import traceback
import typing as t

MISSING: list[tuple[str, str]] = []
"""Pairs of (library, traceback of its failed import); empty when a task can run."""

if t.TYPE_CHECKING:
    import requests
    import urllib3
    from pydantic import AliasPath, BaseModel, ConfigDict, ValidationError
    from pydantic import Field as ModelField
    from pydantic.alias_generators import to_camel
    from pydantic_core import from_json, to_json
    from requests import PreparedRequest
    from requests.adapters import HTTPAdapter
    from requests.auth import AuthBase
    from urllib3.util import Retry
else:
    try:
        import requests
        import urllib3
        from requests import PreparedRequest
        from requests.adapters import HTTPAdapter
        from requests.auth import AuthBase
        from urllib3.util import Retry
    except ImportError:
        MISSING.append(("requests", traceback.format_exc()))
        requests = urllib3 = None
        HTTPAdapter = AuthBase = PreparedRequest = Retry = object

    try:
        from pydantic import AliasPath, BaseModel, ConfigDict, ValidationError
        from pydantic import Field as ModelField
        from pydantic.alias_generators import to_camel
        from pydantic_core import from_json, to_json
    except ImportError:
        MISSING.append(("pydantic", traceback.format_exc()))
        BaseModel = object
        ValidationError = ValueError
        from_json = to_camel = to_json = None

        def ConfigDict(**kwargs: object) -> dict[str, object]:
            """Stand in at import time only."""
            return kwargs

        def AliasPath(*path: str) -> None:
            """Stand in at import time only."""

        def ModelField(*args: object, **kwargs: object) -> None:
            """Stand in at import time only."""


__all__ = [
    "MISSING",
    "AliasPath",
    "AuthBase",
    "BaseModel",
    "ConfigDict",
    "HTTPAdapter",
    "ModelField",
    "PreparedRequest",
    "Retry",
    "ValidationError",
    "from_json",
    "requests",
    "to_camel",
    "to_json",
    "urllib3",
]
