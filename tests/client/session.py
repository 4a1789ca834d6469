# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""A session of the official Python SDK; runs in the client's own environment and prints JSON. See test_client.py."""

from __future__ import annotations

import json
import os
import sys

from determined.experimental import client

client.login(master=os.environ["DET_MASTER"], user=os.environ["DET_USER"], password=os.environ["DET_PASS"])
found: dict[str, object] = {}

user = client.create_user(username="sdk-user", admin=False, password="Contract-1")
user.rename("sdk-user2")
user.change_display_name("SDK")
user.deactivate()
user.activate()
who = client.whoami()
again = client.get_user_by_name("sdk-user2")
found["user"] = [who.username if who else None, again.display_name, again.active]
found["users"] = len(client.list_users())

experiments = client.list_experiments()
found["experiments"] = len(experiments)
experiment = next(one for one in sorted(experiments, key=lambda one: one.id) if one.archived)
seen = [experiment.id, experiment.archived]
experiment.unarchive()
experiment.reload()
seen.append(experiment.archived)
experiment.add_label("sdk")
experiment.archive()
experiment.reload()
found["archived"] = [*seen, experiment.archived]
found["labels"] = sorted(experiment.labels or [])

model = client.create_model("sdk-model", "made by the SDK", {"a": 1})
model.set_description("other")
model.add_metadata({"b": 2})
model.set_labels(["l"])
model.archive()
read = client.get_model("sdk-model")
found["model"] = [read.description, read.metadata, read.labels, read.archived]
model.unarchive()
model.delete()
found["models"] = sorted(one.name for one in client.get_models())

holder = next(one for one in experiments if one.list_checkpoints())
first = next(one for one in holder.list_checkpoints() if one.state and one.state.name == "COMPLETED")
checkpoint = client.get_checkpoint(first.uuid)
found["checkpoint"] = [checkpoint.state.name if checkpoint.state else None, bool(checkpoint.resources)]
found["workspaces"] = sorted(one.name for one in client.list_workspaces())

json.dump(found, sys.stdout)
