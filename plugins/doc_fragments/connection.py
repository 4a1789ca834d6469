# Copyright: Contributors to the determined.ai collection
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection options, written once."""

from __future__ import annotations


class ModuleDocFragment:
    """For every module."""

    DOCUMENTATION = r"""
options:
  master:
    description:
      - Address of the Determined master.
      - A bare host (port 8080 over http), C(host:port), and a URL with a path prefix are all accepted, as the product's CLI
        accepts them.
      - If not set, the environment variable E(DET_MASTER) is used.
    type: str
  auth_username:
    description:
      - User to log in as.
      - One login serves the whole run, and the session is ended when the playbook ends.
      - If neither this nor O(auth_token) is set, the environment variables E(DET_USER_TOKEN), E(DET_USER) and E(DET_PASS) are
        used. Options go before the environment, and in one place a token before a password.
      - There is no silent fall-back to the product's built-in user without a password.
    type: str
  auth_password:
    description:
      - Password of O(auth_username). An empty text logs in a user without a password.
      - If not set, the environment variable E(DET_PASS) is used.
    type: str
  auth_token:
    description:
      - Access token to use instead of user and password.
      - If not set, and no O(auth_username) is set either, the environment variable E(DET_USER_TOKEN) is used.
    type: str
  ca_cert:
    description:
      - File of certificates (PEM) that the master's certificate is checked against.
      - If not set, the environment variable E(DET_MASTER_CERT_FILE) is used; its value V(noverify) means O(validate_certs=false).
        Then E(REQUESTS_CA_BUNDLE) and E(CURL_CA_BUNDLE) are.
    type: path
  validate_certs:
    description:
      - Whether to check the master's certificate. It is checked unless this or E(DET_MASTER_CERT_FILE) says otherwise.
    type: bool
  cert_name:
    description:
      - Name that the master's certificate carries, if it is not the host in O(master).
      - If not set, the environment variable E(DET_MASTER_CERT_NAME) is used.
    type: str
  timeout:
    description:
      - Seconds that one try of a call may take to connect, and then between two bytes of its answer. The whole answer may take ten
        times as long, so one that never ends, such as a log that is followed, ends in a failure.
      - A login may take 30 seconds in any case, as the master hashes passwords slowly on purpose.
    type: float
    default: 30
  retries:
    description:
      - How often a call is tried again that is safe to repeat. These are reads after a broken connection or HTTP 502, 503 and
        504, and any call after a refused connection or HTTP 429. Other writes are sent once.
      - All tries of one call begin within 60 seconds.
    type: int
    default: 3
notes:
  - A task on a local connection runs inside the controller, without the start of a new Python process. With another
    connection, C(become), C(async) or C(environment) it runs as an ordinary module on that host, which then needs the
    requirements, and logs in and out by itself.
  - Ctrl-C ends the session too. SIGTERM and SIGKILL can't, and the session then ends by itself after seven days.
  - What the cluster returns is data, never a template.
requirements:
  - requests >= 2.31
  - pydantic >= 2.7
"""
