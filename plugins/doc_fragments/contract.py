# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every state module does with omitted and empty options."""

from __future__ import annotations


class ModuleDocFragment:
    """For state modules."""

    DOCUMENTATION = r"""
options: {}
notes:
  - An option that is omitted or null leaves the object's value alone; an empty text, list or mapping clears it.
  - The module reads before it writes, and decides by what is there. After a write whose answer was lost it reads again.
"""

    WAIT = r"""
options:
  wait:
    description: Whether to wait until the change has come about on the master.
    type: bool
    default: true
  wait_timeout:
    description: Seconds to wait at most. The failure then reports the last state seen.
    type: int
    default: 300
  wait_interval:
    description: Seconds between two looks, more than 0.
    type: float
    default: 2
"""

    INFO = r"""
options:
  limit:
    description:
      - How many objects to return at most. By default all are returned.
      - RV(total) counts all that match, whatever the limit.
    type: int
notes:
  - Lists are read whole, and the module fails when fewer objects arrive than the master says there are.
"""
