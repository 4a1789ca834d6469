# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module promises of check mode, diff mode, idempotence and platform."""

from __future__ import annotations


class ModuleDocFragment:
    """The parts that all modules share."""

    DOCUMENTATION = r"""
options: {}
attributes:
  check_mode:
    description: Can run in check mode and return what the real run then returns, without writing to the cluster.
  diff_mode:
    description: Returns what has changed, or would change, under C(--diff), without secrets.
  idempotent:
    description: A second run with the same options changes nothing.
  platform:
    description: Systems that the module runs on.
    support: full
    platforms: posix
  action_group:
    description: Use C(group/determined.ai.all) in C(module_defaults) to set the connection options of all modules at once.
    support: full
    membership:
      - determined.ai.all
"""

    STATE = r"""
options: {}
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
"""

    INFO = r"""
options: {}
attributes:
  check_mode:
    support: full
    details: This module never changes anything.
  diff_mode:
    support: N/A
    details: This module never changes anything.
  idempotent:
    support: full
    details: This module never changes anything.
"""
