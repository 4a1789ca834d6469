# SPDX-FileCopyrightText: Contributors to the determined.ai collection
# SPDX-License-Identifier: GPL-3.0-or-later
"""The secret rules: what a person would call a secret in clear, and what they would be annoyed to see reported."""

from __future__ import annotations

import time
import typing as t

import pytest

from ansible_collections.determined.ai.plugins.module_utils._audit.secrets import (
    FORMAT,
    MASKED,
    NAMED,
    PART,
    RANDOM,
    Hit,
    find_secrets,
    keyed_digest,
)

# Written in two halves, so that no scanner takes this file for a leak.
GITHUB = "gh" + "p_0123456789abcdefghij0123456789abcdef"
HUGGING_FACE = "h" + "f_aBcDeFgHiJkLmNoPqRsTuVwXyZaBcDeFgH"
AMAZON_ID = "AK" + "IAIOSFODNN7EXAMPLE"
AMAZON_KEY = "wJalrXUtnFEMI/K7MDENG" + "/bPxRfiCYEXAMPLEKEY"
JWT = "ey" + "JhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"
PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIabc\nxyz==\n-----END RSA PRIVATE KEY-----"
RANDOM_TEXT = "kJ8fQ2mZx7LpR4vT9wNb" + "3sYcA1"
RANDOM_LOWER = "k3j9x0q8w7e6r5t4y3u2" + "i1o0p9a8"
RANDOM_SIGNS = "p@ssW0rd!x9Kd#4mQz7L" + "^t2"
SLACK = "https://hooks.slack.com" + "/services/T0/B0/abc"


def variables(*items: t.Any) -> dict[str, t.Any]:
    """A configuration with these environment variables."""
    return {"environment": {"environment_variables": list(items)}}


def env(name: str) -> str:
    """The path of a variable."""
    return f"environment.environment_variables.{name}"


POD = "environment.pod_spec.spec.containers[0]"


def container(**fields: t.Any) -> dict[str, t.Any]:
    """A configuration with a pod of one container."""
    return {"environment": {"pod_spec": {"spec": {"containers": [fields]}}}}


SECRETS: list[tuple[t.Any, str, str]] = [
    # environment variables: lists, mappings, by accelerator
    (variables("DB_PASSWORD=hunter2"), env("DB_PASSWORD"), NAMED),
    (variables("A=1", "PGPASSWORD=x"), env("PGPASSWORD"), NAMED),
    (variables("MYSQL_PWD=x"), env("MYSQL_PWD"), NAMED),
    (variables("AWS_SECRET_ACCESS_KEY=" + AMAZON_KEY), env("AWS_SECRET_ACCESS_KEY"), NAMED),
    (variables("AWS_ACCESS_KEY_ID=" + AMAZON_ID), env("AWS_ACCESS_KEY_ID"), NAMED),
    (variables("HF_TOKEN=abc"), env("HF_TOKEN"), NAMED),
    (variables("MY_TOKEN=plain"), env("MY_TOKEN"), NAMED),
    (variables("WANDB_API_KEY=abc"), env("WANDB_API_KEY"), NAMED),
    (variables("apiKey=abc"), env("apiKey"), NAMED),
    (variables("CLIENT_SECRET=abc=def"), env("CLIENT_SECRET"), NAMED),
    (variables("SSH_PRIVATE_KEY=" + PEM), env("SSH_PRIVATE_KEY"), NAMED),
    (
        variables("AZURE_STORAGE_CONNECTION_STRING=AccountName=x;AccountKey=y"),
        env("AZURE_STORAGE_CONNECTION_STRING"),
        NAMED,
    ),
    (variables("DET_PASS=determined"), env("DET_PASS"), NAMED),
    (variables("OPENAI_KEY=abc123def456"), env("OPENAI_KEY"), NAMED),
    (variables("GITHUB_PAT=abc123def456"), env("GITHUB_PAT"), NAMED),
    (variables("DB_PASSWORD=1234"), env("DB_PASSWORD"), NAMED),
    (variables("DB_PASSWORD=${DB_PASSWORD:-hunter2}"), env("DB_PASSWORD"), NAMED),
    (variables("DB_PASSWORD=pa$word and more"), env("DB_PASSWORD"), NAMED),
    (variables("AWS_SECRET_ACCESS_KEY=/" + RANDOM_TEXT), env("AWS_SECRET_ACCESS_KEY"), NAMED),
    (variables("DATABASE_URL=postgres://u:hunter2@db:5432/x"), env("DATABASE_URL"), PART),
    (variables("HTTPS_PROXY=http://u:hunter2@proxy:3128"), env("HTTPS_PROXY"), PART),
    (variables("NOTIFY=" + SLACK), env("NOTIFY"), PART),
    (variables("HARMLESS=" + GITHUB), env("HARMLESS"), FORMAT),
    (variables("HARMLESS=" + RANDOM_TEXT), env("HARMLESS"), RANDOM),
    (variables("HARMLESS=" + RANDOM_SIGNS), env("HARMLESS"), RANDOM),
    (variables(GITHUB), "environment.environment_variables[0]", FORMAT),
    ({"environment": {"environment_variables": {"DB_PASSWORD": "x"}}}, env("DB_PASSWORD"), NAMED),
    ({"environment": {"environment_variables": {"DB_PASSWORD": 12345}}}, env("DB_PASSWORD"), NAMED),
    ({"environment": {"environment_variables": {"cuda": ["HF_TOKEN=x"]}}}, env("HF_TOKEN"), NAMED),
    ({"environment": {"environment_variables": {"gpu": {"HF_TOKEN": "x"}}}}, env("HF_TOKEN"), NAMED),
    # registry credentials
    (
        {"environment": {"registry_auth": {"username": "u", "password": "x"}}},
        "environment.registry_auth.password",
        NAMED,
    ),
    ({"environment": {"registry_auth": {"auth": "dTpw"}}}, "environment.registry_auth.auth", NAMED),
    ({"environment": {"registry_auth": {"identitytoken": "x"}}}, "environment.registry_auth.identitytoken", NAMED),
    ({"environment": {"registry_auth": {"registrytoken": "x"}}}, "environment.registry_auth.registrytoken", NAMED),
    # storage
    ({"checkpoint_storage": {"type": "s3", "secret_key": "x"}}, "checkpoint_storage.secret_key", NAMED),
    ({"checkpoint_storage": {"type": "s3", "access_key": "x"}}, "checkpoint_storage.access_key", NAMED),
    ({"checkpoint_storage": {"connection_string": "x"}}, "checkpoint_storage.connection_string", NAMED),
    ({"checkpoint_storage": {"credential": "x"}}, "checkpoint_storage.credential", NAMED),
    # data
    ({"data": {"secrets": {"any": "x"}}}, "data.secrets.any", NAMED),
    ({"data": {"secrets": {"deep": {"er": 5}}}}, "data.secrets.deep.er", NAMED),
    ({"data": {"db": {"password": "x"}}}, "data.db.password", NAMED),
    ({"data": {"clientSecret": "x"}}, "data.clientSecret", NAMED),
    ({"data": {"url": "https://u:hunter2@data.example.org/x"}}, "data.url", PART),
    ({"data": {"url": "https://0123456789abcdef0123456789abcdef01234567@git.example.org/x"}}, "data.url", PART),
    ({"data": {"url": "https://x.example.org/c?sv=2020&sig=abc%2B&se=1"}}, "data.url", PART),
    ({"data": {"storage": "AccountName=n;AccountKey=abc==;EndpointSuffix=e"}}, "data.storage", NAMED),
    ({"data": {"seed": RANDOM_LOWER}}, "data.seed", RANDOM),
    ({"data": {"seed": AMAZON_KEY}}, "data.seed", RANDOM),
    ({"data": {"docker": '{"auths": {"r": {"password": "x"}}}'}}, "data.docker", NAMED),
    ({"data": {"list": ["a", GITHUB]}}, "data.list[1]", FORMAT),
    ({"data": {"x": JWT}}, "data.x", FORMAT),
    ({"data": {"x": AMAZON_ID}}, "data.x", FORMAT),
    # hyperparameters
    ({"hyperparameters": {"password": "x"}}, "hyperparameters.password", NAMED),
    ({"hyperparameters": {"hf_token": "x"}}, "hyperparameters.hf_token", NAMED),
    ({"hyperparameters": {"api_key": {"type": "const", "val": "x"}}}, "hyperparameters.api_key.val", NAMED),
    (
        {"hyperparameters": {"api_key": {"type": "categorical", "vals": ["x"]}}},
        "hyperparameters.api_key.vals[0]",
        NAMED,
    ),
    ({"hyperparameters": {"deep": {"wandb": {"api_key": "x"}}}}, "hyperparameters.deep.wandb.api_key", NAMED),
    ({"hyperparameters": {"run": HUGGING_FACE}}, "hyperparameters.run", FORMAT),
    # commands
    ({"entrypoint": "python train.py --password hunter2 --lr 1"}, "entrypoint", NAMED),
    ({"entrypoint": "python train.py --db-password='hunter 2'"}, "entrypoint", NAMED),
    ({"entrypoint": ["python", "train.py", "--password", "hunter2"]}, "entrypoint[3]", NAMED),
    ({"entrypoint": ["python", "train.py", "--api-key=x"]}, "entrypoint[2]", NAMED),
    ({"entrypoint": ["sh", "-c", "HF_TOKEN=x python train.py"]}, "entrypoint[2]", NAMED),
    ({"entrypoint": "python train.py --seed " + RANDOM_TEXT}, "entrypoint", RANDOM),
    ({"entrypoint": "curl -H 'Authorization: Bearer abc1234567' https://x"}, "entrypoint", PART),
    ({"startup_hook": "#!/bin/sh\nexport WANDB_API_KEY=abc\npip install x"}, "startup_hook", NAMED),
    ({"startup_hook": "git clone https://bot:hunter2@git.example.org/x"}, "startup_hook", PART),
    ({"startup_hook": "cat > key <<E\n" + PEM + "\nE"}, "startup_hook", FORMAT),
    ({"tensorboard_args": ["--token", "x"]}, "tensorboard_args[1]", NAMED),
    # pods
    (container(env=[{"name": "DB_PASSWORD", "value": "x"}]), f"{POD}.env[0].DB_PASSWORD", NAMED),
    (container(env=[{"name": "X", "value": GITHUB}]), f"{POD}.env[0].X", FORMAT),
    (container(command=["x", "--token", "y"]), f"{POD}.command[2]", NAMED),
    # anywhere else
    (
        {"integrations": {"pachyderm": {"dataset": {"token": "x", "repo": "r"}}}},
        "integrations.pachyderm.dataset.token",
        NAMED,
    ),
    ({"description": "log in with password=hunter2"}, "description", NAMED),
    ({"labels": [GITHUB]}, "labels[0]", FORMAT),
    ({"name": "run " + GITHUB}, "name", FORMAT),
    ({"webhooks": {"signing_key": "x"}}, "webhooks.signing_key", NAMED),
    ({"oidc": {"client_secret": "x"}}, "oidc.client_secret", NAMED),
    ({"scim": {"auth": {"type": "basic", "password": "x"}}}, "scim.auth.password", NAMED),
    ({"slurm": {"sbatch_args": ["--export=DB_PASSWORD=hunter2"]}}, "slurm.sbatch_args[0]", NAMED),
    # keys that are secrets show themselves no more than values do
    ({"data": {GITHUB: 1}}, "data.********", FORMAT),
    ({"data": {GITHUB: None}}, "data.********", FORMAT),
    ({"data": {"valueFrom": {"password": "x"}}}, "data.valueFrom.password", NAMED),
    ({"data": {GITHUB: {"password": "x"}}}, "data.********.password", NAMED),
    (variables(GITHUB + "=x"), "environment.environment_variables[0]", FORMAT),
]


@pytest.mark.parametrize(("document", "path", "rule"), SECRETS)
def test_secrets(document: t.Any, path: str, rule: str) -> None:
    assert Hit(path, rule) in find_secrets(document)


@pytest.mark.parametrize(("document", "path", "rule"), [case for case in SECRETS if "********.password" not in case[1]])
def test_each_is_one(document: t.Any, path: str, rule: str) -> None:
    assert len(find_secrets(document)) == 1


HEX = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"

PLAIN: list[t.Any] = [
    # nothing, masks, references, paths
    variables("DB_PASSWORD="),
    variables("DB_PASSWORD"),
    variables("DB_PASSWORD=********"),
    variables("DB_PASSWORD=$DB_PASSWORD"),
    variables("DB_PASSWORD=${DB_PASSWORD}"),
    variables("DB_PASSWORD=${DB_PASSWORD:?is missing}"),
    variables('DB_PASSWORD="$OTHER"'),
    variables("DB_PASSWORD=$(cat /run/secrets/db)"),
    variables("DB_PASSWORD={{ vault_db_password }}"),
    variables("DB_PASSWORD=<your password>"),
    variables("DB_PASSWORD=/run/secrets/db"),
    variables("AUTHORIZATION=Bearer $TOKEN"),
    variables("DB_PASSWORD_FILE=/run/secrets/db", "PASSWORD_FILE=db.txt"),
    variables("GOOGLE_APPLICATION_CREDENTIALS=/etc/gcp/key.json", "CREDENTIALS=gcp.json"),
    variables("DATABASE_URL=postgres://u:$PASS@db/x", "URL=postgres://u:********@db/x", "U=postgres://u@db/x"),
    variables(
        "TOKEN_URL=https://login.example.org/token", "API_TOKEN_PATH=x", "SECRET_NAME=regcred", "AUTH_TYPE=basic"
    ),
    variables(
        "SSH_AUTH_SOCK=/tmp/agent.1", "AUTH=basic", "COOKIE_DOMAIN=example.org", "JWT_ALGORITHM=RS256", "USE_AUTH=true"
    ),
    variables("PASSWORD_MIN_LENGTH=12", "TOKEN_TTL=3600", "SECRETS_MANAGER_ENDPOINT=https://s.example.org"),
    variables("VAULT_SECRET=vault:secret/data/db#password", "DB_SECRET=arn:aws:secretsmanager:eu-west-1:1:secret:db"),
    {"checkpoint_storage": {"access_key": None, "secret_key": "", "endpoint_url": "http://minio:9000/x@y"}},
    {"checkpoint_storage": {"type": "s3", "bucket": "b", "prefix": "team/a", "secret_key": "********"}},
    {"environment": {"registry_auth": {"username": "robot$team+puller", "serveraddress": "registry.example.org:5000"}}},
    # tokens that are none
    variables("TOKENIZERS_PARALLELISM=false", "MAX_TOKENS=4096", "NUM_TOKENS=1e9", "PAD_TOKEN=<pad>", "EOS_TOKEN_ID=2"),
    variables("TOKEN_COUNT=512", "BOS_TOKEN=begin", "TRAIN_TOKENS=300B", "MASK_TOKEN=[MASK]"),
    {
        "hyperparameters": {
            "pad_token": "[PAD]",
            "eos_token": "</s>",
            "max_tokens": 5,
            "max_new_tokens": 64,
            "token_count": 9,
        }
    },
    {
        "hyperparameters": {
            "tokenizer": "bert-base-uncased",
            "tokenizer_name": "meta-llama/Llama-2-7b-hf",
            "token": "cls",
        }
    },
    {
        "hyperparameters": {
            "key_dim": 64,
            "num_keys": 8,
            "key": "value",
            "attention_key": "query_key_value",
            "secret_dim": 5,
        }
    },
    {"hyperparameters": {"token_dropout": {"type": "double", "minval": 0.1, "maxval": 0.5}, "forward_pass": "fused"}},
    {"hyperparameters": {"auth": "none", "n_pass": "two"}},
    {"entrypoint": "python train.py --tokenizer x --max-tokens=5 --pad-token pad --eos-token-id 2 --lr 0.1"},
    {"entrypoint": ["python", "-m", "train", "--tokenizer", "bert", "--max-new-tokens", "64", "--token-file", "t"]},
    {"entrypoint": 'train --password $DB_PASSWORD --api-key=${KEY} --token "$HF_TOKEN" --secret-file /run/s'},
    {"entrypoint": ["train", "--password", "$DB_PASSWORD", "--use-token", "True", "--password", "--verbose"]},
    {"startup_hook": "export HF_TOKEN=$(cat /run/secrets/hf)\ntoken = os.environ['HF_TOKEN']\nif token == None: x"},
    # random by nature
    {"environment": {"image": {"cuda": f"registry.example.org:5000/team/image@sha256:{HEX}"}}},
    {"environment": {"image": "determinedai/pytorch-ngc:0.38.1-py3.10-cuda12.1-AbC9xYz8KlM7nOp6QrS5"}},
    {
        "data": {
            "sha256": HEX,
            "commit": HEX[:40],
            "revision": RANDOM_TEXT,
            "digest": RANDOM_TEXT,
            "run_id": RANDOM_TEXT,
        }
    },
    {"data": {"source": HEX[:40], "run": "3f2b8c1e-9a4d-4e6f-8b2a-1c3d5e7f9a0b", "name": f"exp-{HEX[:32]}-x"}},
    {"data": {"ids": [RANDOM_TEXT], "checkpoint_uuid": RANDOM_TEXT, "modelHash": RANDOM_TEXT, "imageTag": RANDOM_TEXT}},
    {"searcher": {"source_checkpoint_uuid": "3f2b8c1e-9a4d-4e6f-8b2a-1c3d5e7f9a0b", "metric": "validation_loss"}},
    {"data": {"run": "01ARZ3NDEKTSV4RRFFQ69G5FAV", "wandb_run": "1a2b3c4d"}},
    {"data": {"integrity": "sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8KuxM9rvpPxPGzE6bC5vXqyXyv"}},
    {"startup_hook": "pip install x==1 --hash=sha256:" + HEX},
    {
        "startup_hook": "echo ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8fQ2mZx7LpR4vT9wNb3sYcA1kQ a@b >> .ssh/authorized_keys"
    },
    {"startup_hook": f"-----BEGIN CERTIFICATE-----\nMIID{RANDOM_TEXT}\n{RANDOM_TEXT}==\n-----END CERTIFICATE-----"},
    {"data": {"config": "gASV" + RANDOM_TEXT * 20}},
    # long texts of words
    {"entrypoint": "model_def:MyVeryLongTrialClassNameForImageNet2012V2"},
    {"entrypoint": "python3 -m determined.launch.torch_distributed --trial my.package.ResNet50MixedPrecisionTrial"},
    {"data": {"path": "/mnt/datasets/ImageNet2012/ResNet50/Fold3Batch1024/train-00001-of-01024.tfrecord"}},
    {"data": {"path": "datasets/ImageNet2012/ResNet50Features/Fold3Batch1024"}},
    {"data": {"url": "s3://my-bucket-eu-west-1/team/a/datasets/v2/AbC9xYz8KlM7nOp6QrS5/x.parquet"}},
    {"data": {"url": "https://data.example.org/AbC9xYz8KlM7nOp6QrS5tUv/x?version=3&key=id"}},
    {
        "name": "resnet50-imagenet-pretrained-v2-batch1024-lr0.001-a100x8",
        "description": "Bearer tokens are for per-token loss",
    },
    {"description": "set a token first, then the password: see the wiki", "labels": ["secret", "token"]},
    {"data": {"format": "{epoch:02d}-{val_loss:.2f}-{val_accuracy:.4f}.ckpt", "when": "2024-01-01T00:00:00.000Z"}},
    {
        "data": {
            "requirements": ["torch==2.1.0+cu118", "transformers>=4.36.2,<5"],
            "model": "sk-learn-random-forest-classifier",
        }
    },
    {"hyperparameters": {"lr": "1e-4", "schedule": "warmup_500_cosine_1e-4_to_1e-6", "optimizer": "torch.optim.AdamW"}},
    {"hyperparameters": {"model": "hf_transformers_model_hub_cache", "dims": "b32_h768_l12_e10_s42_wd0.01"}},
    variables(
        "NCCL_DEBUG=INFO", "NCCL_IB_HCA=mlx5_0,mlx5_1", "NCCL_SOCKET_IFNAME=eth0", "NCCL_IB_PKEY=0", "OMP_NUM_THREADS=8"
    ),
    variables("PYTORCH_CUDA_ALLOC_CONF=max_split_size_mb:512,garbage_collection_threshold:0.8", "WANDB_MODE=offline"),
    variables(
        "PATH=/opt/conda/bin:/usr/local/cuda-12.1/bin:/usr/bin", "GIT_AUTHOR_NAME=A. Person", "COMPASS=x", "KEYBOARD=de"
    ),
    # Kubernetes
    container(env=[{"name": "DB_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}}]),
    container(env=[{"name": "TOKENIZERS_PARALLELISM", "value": "false"}, {"name": "DB_PASSWORD", "value": "$(OTHER)"}]),
    container(envFrom=[{"secretRef": {"name": "wandb"}}]),
    {"pod_spec": {"spec": {"automountServiceAccountToken": False, "imagePullSecrets": [{"name": "regcred"}]}}},
    {"pod_spec": {"spec": {"tolerations": [{"key": "nvidia.com/gpu-a100", "value": "true", "operator": "Exists"}]}}},
    {
        "pod_spec": {
            "spec": {"volumes": [{"name": "v", "secret": {"secretName": "s", "items": [{"key": "k", "path": "p"}]}}]}
        }
    },
    {"pod_spec": {"spec": {"volumes": [{"projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]}}},
    {"log_policies": [{"name": "CUDA OOM", "pattern": ".*CUDA out of memory.*", "action": "cancel_retries"}]},
    {"security": {"token": {"max_lifespan_days": 30}, "key": "k"}, "saml": {"enabled": False}},
]


@pytest.mark.parametrize("document", PLAIN)
def test_what_is_none(document: t.Any) -> None:
    assert find_secrets(document) == []


def test_a_variable_that_stands_three_times_is_one() -> None:
    listed = {kind: ["A=1", "DB_PASSWORD=x", "HF_TOKEN=y"] for kind in ("cpu", "cuda", "rocm")}
    found = find_secrets({"environment": {"environment_variables": listed}}, evidence_key=b"k")
    assert [(hit.path, hit.rule) for hit in found] == [(env("DB_PASSWORD"), NAMED), (env("HF_TOKEN"), NAMED)]


def test_all_secrets_of_a_text_have_their_marks() -> None:
    text = f"export DB_PASSWORD=hunter2 HF_TOKEN=x; git clone https://u:pass@h/x; echo {GITHUB}"
    assert find_secrets({"startup_hook": text}) == [Hit("startup_hook", rule) for rule in (FORMAT, PART, NAMED)]
    marks = {hit.mark for hit in find_secrets({"startup_hook": text}, evidence_key=b"k")}
    assert marks == {keyed_digest(b"k", secret) for secret in ("hunter2", "x", "pass", GITHUB)}


def test_a_mark_follows_one_secret_from_place_to_place() -> None:
    def marks(document: t.Any, key: bytes) -> set[str | None]:
        return {hit.mark for hit in find_secrets(document, evidence_key=key)}

    listed = variables("DB_PASSWORD=hunter2")
    assert marks(listed, b"k") == marks({"data": {"password": "hunter2"}}, b"k")
    assert marks(listed, b"k") == marks({"entrypoint": "x --password=hunter2"}, b"k")
    assert not marks(listed, b"k") & marks(variables("DB_PASSWORD=hunter3"), b"k")
    assert not marks(listed, b"k") & marks(listed, b"l")
    assert keyed_digest(b"k", 5) == keyed_digest(b"k", "5")
    assert keyed_digest(b"k", "\ud800")


def test_masks_count_where_they_say_that_something_is_set() -> None:
    config = {
        "registry_auth": {"username": "u", "password": "********"},
        "environment_variables": ["DB_PASSWORD=********"],
    }
    assert find_secrets(config) == []
    assert find_secrets(config, masks_count=True, evidence_key=b"k") == [
        Hit("environment_variables.DB_PASSWORD", MASKED),
        Hit("registry_auth.password", MASKED),
    ]


def test_no_hit_holds_what_it_found() -> None:
    for document, _path, _rule in SECRETS:
        for hit in find_secrets(document, evidence_key=b"k"):
            for secret in (
                "hunter2",
                GITHUB,
                HUGGING_FACE,
                AMAZON_ID,
                AMAZON_KEY,
                JWT,
                RANDOM_TEXT,
                RANDOM_LOWER,
                RANDOM_SIGNS,
            ):
                assert secret not in repr(hit)


HOSTILE: list[t.Any] = [
    None,
    5,
    "",
    [],
    {},
    {1: {2: None, None: "x", True: ["x", None, 1.5, True]}},
    {"environment": None, "data": [], "hyperparameters": "x", "checkpoint_storage": 7, "entrypoint": {"a": 1}},
    {"environment": {"environment_variables": None, "registry_auth": [], "pod_spec": "x", "image": [1]}},
    {"environment": {"environment_variables": {"cpu": None, "cuda": "A=1", "rocm": {"A": None}, 5: [None, 3]}}},
    {"environment": {"environment_variables": [None, 1, ["x"], {"name": 5, "value": 6}, "=", "=x", "\ud800=\udfff"]}},
    {"data": {"secrets": None}, "name": {"value": "x", "name": None}},
    {"\x00\n{{ x }}</script>": "\x00", "x" * 4000: "y"},
]


@pytest.mark.parametrize("document", HOSTILE)
def test_any_shape_is_walked(document: t.Any) -> None:
    assert find_secrets(document, evidence_key=b"k") == []


def test_deep_documents_are_walked_to_the_end() -> None:
    document: t.Any = {"password": "x"}
    for _ in range(20_000):
        document = [document]
    assert [hit.rule for hit in find_secrets({"data": document})] == [NAMED]


def test_a_long_key_is_cut() -> None:
    assert find_secrets({"x" * 4000: {"password": "y"}}) == [Hit("x" * 128 + "....password", NAMED)]


LONG = 200_000
PIECES = [
    "a", "=", "'", '"', "-", "--a ", "a-", "a.", "-eyJ", "-eyJabcdefghij.", "eyJ", "$", "${a:?", "{{", "<", "%a", "/", "://", "://:", "@", "://:@",
    "https://", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "-----BEGIN CERTIFICATE-----", "v2.public.", "ghp_", "sk-a", "sk-", "hf_a_",
    " ", "\n", "password=", "password =", "password = ' ", "--password ", "Bearer ", "?sig=", "token", "a token ", "aB3$", "0a", "0123456", "sha256:",
    "AAAAB", "'a':'", "\"password\": \"", "a=b,", "*", "$(", "`", "arn:", "1,", "a@", "hooks.slack.com/services/", "pad_", "\u00e9",
]  # fmt: skip


@pytest.mark.parametrize("name", ["description", "password"])
@pytest.mark.parametrize("piece", PIECES)
def test_long_texts_take_linear_time(piece: str, name: str) -> None:
    text = piece * (LONG // len(piece))
    start = time.process_time()
    find_secrets({name: text})
    # Linear takes half a second, also on a busy machine; what is quadratic takes minutes.
    assert time.process_time() - start < 5
