# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parts of a configuration are shown as a mask, and which are not."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._kinds.masking import (
    MASK,
    holds_mask,
    mask_places,
    masked,
    masked_text,
)

SECRET_NAMES = [
    "PASSWORD",
    "DB_PASSWORD",
    "PGPASSWORD",
    "MYSQL_PWD",
    "PASSWD",
    "DET_PASS",
    "PASSPHRASE",
    "SECRET",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SESSION_TOKEN",
    "HF_TOKEN",
    "GITHUB_PAT",
    "WANDB_API_KEY",
    "APIKEY",
    "OPENAI_KEY",
    "KEY",
    "SENTRY_DSN",
    "BLOB_SAS",
    "AUTH",
    "AUTHORIZATION",
    "HTTP_AUTH",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "AZURE_STORAGE_CONNECTION_STRING",
    "SIGNING_KEY",
    "SESSION_COOKIE",
    "JWT",
    "api_token",
    "dbPassword",
]
PLAIN_NAMES = [
    "PATH",
    "PWD",
    "OLDPWD",
    "HOME",
    "NCCL_DEBUG",
    "TOKENIZERS_PARALLELISM",
    "TOKENIZER_PATH",
    "MAX_TOKENS",
    "NUM_TOKENS",
    "AUTHOR",
    "KEYBOARD",
    "MONKEY",
    "COMPASS",
    "SSH_PORT",
    "CUDA_VISIBLE_DEVICES",
    "PASSES",
    "KEY_FILE",
    "PATTERN",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_variables_with_a_secret_name_are_masked(name: str) -> None:
    variables = {"environment": {"environment_variables": [f"{name}=value=1", "A=1"]}}
    assert masked(variables) == {"environment": {"environment_variables": [f"{name}={MASK}", "A=1"]}}
    by_kind = {"environment_variables": {"cpu": [f"{name}=x"], "gpu": ["A=1"]}}
    assert masked(by_kind) == {"environment_variables": {"cpu": [f"{name}={MASK}"], "gpu": ["A=1"]}}
    assert masked({"environment_variables": {name: 12345}}) == {"environment_variables": {name: MASK}}
    pod = {"spec": {"containers": [{"env": [{"name": name, "value": "x"}, {"name": name, "valueFrom": {"key": "y"}}]}]}}
    shown = masked({"pod_spec": pod})["pod_spec"]["spec"]["containers"][0]["env"]
    assert shown == [{"name": name, "value": MASK}, {"name": name, "valueFrom": {"key": "y"}}]


@pytest.mark.parametrize("name", PLAIN_NAMES)
def test_variables_with_another_name_are_shown(name: str) -> None:
    config = {"environment_variables": [f"{name}=some value", name, f"{name}="]}
    assert masked(config) == config
    assert masked({"environment_variables": {name: "some value"}}) == {"environment_variables": {name: "some value"}}


SECRETS: list[tuple[t.Any, t.Any]] = [
    ({"checkpoint_storage": {"type": "s3", "bucket": "b", "access_key": "x", "secret_key": "y"}}, ["x", "y"]),
    ({"checkpoint_storage": {"connection_string": "x", "credential": "y", "container": "c"}}, ["x", "y"]),
    (
        {"environment": {"registry_auth": {"username": "u", "password": "x", "auth": "y", "identitytoken": "z"}}},
        ["x", "y", "z"],
    ),
    ({"environment": {"registry_auth": {"registrytoken": "x", "serveraddress": "s"}}}, ["x"]),
    ({"integrations": {"pachyderm": {"dataset": {"token": "x", "repo": "r"}}}}, ["x"]),
    ({"data": {"secrets": {"any": "x", "deep": {"er": ["y", 5, True]}}, "other": "o"}}, ["x", "y", 5, True]),
    ({"config": {"data": {"secrets": {"deep": {"er": "x"}}}}}, ["x"]),
    ({"data": {"secrets": "x"}}, ["x"]),
    ({"data": {"db_password": "x", "clientSecret": "y", "s3_secret_key": 7, "port": 5432}}, ["x", "y", 7]),
    (
        {"webhooks": {"signing_key": "x", "base_url": "u"}, "scim": {"auth": {"username": "u", "password": "y"}}},
        ["x", "y"],
    ),
    (
        {"db": {"password": "x"}, "oidc": {"client_secret": "y"}, "telemetry": {"segment_webui_key": "z"}},
        ["x", "y", "z"],
    ),
    ({"security": {"initial_user_password": "x", "token": {"max_lifespan_days": 30}}}, ["x"]),
    ({"checkpointStorageConfig": {"accessKey": "x", "secretKey": "y"}}, ["x", "y"]),
]


def leaves(value: t.Any) -> t.Iterator[t.Any]:
    """All values that are neither mappings nor lists."""
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


@pytest.mark.parametrize(("config", "secrets"), SECRETS)
def test_secret_places_are_masked_and_their_neighbours_are_not(config: t.Any, secrets: list[t.Any]) -> None:
    shown = masked(config)
    pairs = list(zip(leaves(config), leaves(shown), strict=True))
    assert [before for before, after in pairs if before is not after and before != after] == secrets
    assert all(after == MASK for before, after in pairs if before != after)


PLAIN: list[t.Any] = [
    {"hyperparameters": {"pad_token": "<pad>", "secret": "x", "key": {"type": "const", "val": 1}}},
    {"config": {"hyperparameters": {"password": "x"}}},
    {"data": {"pad_token": "<pad>", "tokenizer": "bert", "key": "id", "secret_name": "n", "max_tokens": 5}},
    {"pod_spec": {"spec": {"automountServiceAccountToken": False, "imagePullSecrets": [{"name": "regcred"}]}}},
    {"pod_spec": {"spec": {"tolerations": [{"key": "nvidia.com/gpu", "value": "true"}]}}},
    {"pod_spec": {"spec": {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]}}},
    {"environment": {"image": "registry.example.org:5000/team/image@sha256:0123", "registry_auth": None}},
    {"checkpoint_storage": {"access_key": None, "secret_key": "", "endpoint_url": "http://minio:9000/x@y"}},
    {"entrypoint": "python train.py --tokenizer x --max-tokens=5 --lr 0.1", "name": "author=me"},
    {"startup_hook": 'export HF_TOKEN=$(cat /run/hf) WANDB_KEY="$KEY"\npython x.py --sort_key=id pad_token=0'},
    {"security": {"key": "k"}, "saml": {"enabled": False}, "description": "set a token first"},
    {"log_policies": [{"name": "n", "pattern": ".*", "action": "cancel_retries"}]},
]


@pytest.mark.parametrize("config", PLAIN)
def test_what_is_no_secret_is_shown(config: t.Any) -> None:
    assert masked(config) == config


# Written in two halves, so that no scanner takes this file for a leak.
TOKENS = [
    "v2.public" + ".eyJ0b2tlbiI6IjEyMzQ1Njc4OTAi",
    "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "AKIA" + "ABCDEFGHIJKLMNOP",
    "gh" + "p_0123456789abcdefghij0123456789abcdef",
    "github" + "_pat_0123456789abcdefghij_0123",
    "glpat" + "-0123456789abcdefghij",
    "xoxb" + "-0123456789-abcdef",
    "h" + "f_0123456789abcdefghij0123",
    "s" + "k-0123456789abcdefghij0123",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIabc\nxyz==\n-----END RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("token", TOKENS)
def test_secret_forms_are_masked_wherever_they_stand(token: str) -> None:
    assert masked({"description": token}) == {"description": MASK}
    assert masked({"environment_variables": [f"HARMLESS={token}"]}) == {"environment_variables": [f"HARMLESS={MASK}"]}
    assert masked_text(f"run with {token} and more") == f"run with {MASK} and more"
    assert masked({"hyperparameters": {"x": token}}) == {"hyperparameters": {"x": MASK}}


PARTS = {
    "postgres://user:p@ss@db:5432/x": "postgres://user:********@db:5432/x",
    "see https://:x@host/ and redis://:y@z": "see https://:********@host/ and redis://:********@z",
    "https://hooks.slack.com/services/T0/B0/abc": "https://hooks.slack.com/services/********",
    "https://x.blob.core.windows.net/c?sv=2020&sig=abc%2B&se=1": "https://x.blob.core.windows.net/c?sv=2020&sig=********&se=1",
    "AccountName=n;AccountKey=abc==;EndpointSuffix=e": "AccountName=n;AccountKey=********;EndpointSuffix=e",
    "train --db-password hunter2 --lr 1": "train --db-password ******** --lr 1",
    "train --token=abc --lr=1": "train --token=******** --lr=1",
    "export API_KEY='abc' X=1": "export API_KEY='********' X=1",
    "export HF_TOKEN=abc OPENAI_KEY='d' X=1": "export HF_TOKEN=******** OPENAI_KEY='********' X=1",
    "host=h password=abc dbname=d": "host=h password=******** dbname=d",
    "Authorization: Bearer abc.def": "Authorization: Bearer ********",
}


@pytest.mark.parametrize("text", PARTS)
def test_the_secret_part_of_a_text_is_masked(text: str) -> None:
    assert masked_text(text) == PARTS[text]
    assert masked({"startup_hook": text}) == {"startup_hook": PARTS[text]}


def test_masking_copies() -> None:
    config = {"environment": {"registry_auth": {"password": "x"}, "environment_variables": ["TOKEN=x"]}}
    masked(config)
    assert config == {"environment": {"registry_auth": {"password": "x"}, "environment_variables": ["TOKEN=x"]}}


def test_masking_what_is_masked_changes_nothing() -> None:
    for text in PARTS.values():
        assert masked_text(text) == text
    for config, _secrets in SECRETS:
        assert masked(masked(config)) == masked(config)


def test_masks_are_found_with_their_places() -> None:
    config = {"a": [{"b": MASK}, "TOKEN=********", "********* nine", "*** three"], "c": "x:********@y", "d": 8}
    assert mask_places(config) == ["a[0].b", "a[1]", "c"]
    assert holds_mask(config)
    assert not holds_mask({"a": [None, 1, "*" * 9]})
    assert not holds_mask(None)
