# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Benchmarks: the collection side by side with Ansible's own tasks and the official client."""
