# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils.endpoints import is_aws


@pytest.mark.parametrize(
    ("url", "aws"),
    [
        ("https://ecs.ap-southeast-1.amazonaws.com", True),
        ("https://sts.amazonaws.com/", True),
        ("https://ecs.cn-north-1.amazonaws.com.cn", True),
        ("https://ecs.ap-southeast-1.api.aws", True),
        ("https://ecs.eusc-de-east-1.amazonaws.eu", True),
        ("http://127.0.0.1:5001", False),
        ("http://localhost:4566/ecs.amazonaws.com", False),
        ("https://amazonaws.com.example.org", False),
    ],
)
def test_who_answers(url, aws):
    assert is_aws(url) is aws
