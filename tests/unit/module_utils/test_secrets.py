# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import images, secrets, task_definitions
from ansible_collections.handson.ecs.plugins.module_utils.preflight import task_definition


@pytest.mark.parametrize(
    ("name", "secret"),
    [
        ("DB_PASSWORD", True),
        ("dbPassword", True),
        ("spring.datasource.password", True),
        ("API_KEY", True),
        ("apiKey", True),
        ("APIKEY", True),
        ("GITHUB_TOKEN", True),
        ("AWS_SECRET_ACCESS_KEY", True),
        ("PRIVATE_KEY", True),
        ("CLIENT_SECRET", True),
        ("SECRET_KEY_BASE", True),
        ("DB_PASSWORD_FILE", False),
        ("TOKEN_TTL", False),
        ("SECRET_ARN", False),
        ("TOKENIZER", False),
        ("KEYBOARD", False),
        ("MONKEY", False),
        ("SPRING_PROFILES_ACTIVE", False),
        ("PUBLIC_KEY", False),
        ("PGPASSWORD", True),
        ("DB_PASS", True),
        ("DB_PASSWORD2", True),
        ("authtoken", True),
        ("githubToken", True),
        ("ssh-key", True),
        ("ENCRYPTION_KEY", True),
        ("credentials", True),
        ("KEYSTORE_PASSPHRASE", True),
        ("DB_PWD", True),
        ("PWD_CHECK", False),
        ("AWS_ACCESS_KEY_ID", False),
        ("PROXY_BYPASS", False),
        ("CACHE_KEY", False),
        ("SECRETARY", False),
        ("", False),
        ("_", False),
    ],
)
def test_looks_secret(name, secret):
    assert secrets.looks_secret(name) is secret


def test_there_is_one_notion_of_it():
    assert images.looks_secret is task_definitions.looks_secret is task_definition.looks_secret is secrets.looks_secret
    assert task_definitions.SECRET_NAME is secrets.SECRET_NAME
