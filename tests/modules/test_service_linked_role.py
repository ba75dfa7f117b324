# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, run

SERVICES = [
    "ecs.amazonaws.com",
    "elasticloadbalancing.amazonaws.com",
    "autoscaling.amazonaws.com",
    "ecs.application-autoscaling.amazonaws.com",
]


@pytest.fixture
def read(aws):
    return lambda: sorted(
        r["Path"].split("/")[2] for r in aws("iam").list_roles(PathPrefix="/aws-service-role/")["Roles"]
    )


def refuse(code, message):
    def answer(real, parameters):
        raise error(code, message, "CreateServiceLinkedRole")

    return answer


def test_missing_roles_are_made_and_none_is_made_twice(read):
    checked = run("service_linked_role", check=True, services=SERVICES)
    assert checked["changed"] and checked["created"] == sorted(SERVICES) and read() == []
    made = run("service_linked_role", services=SERVICES[:2])
    assert made["changed"] and read() == sorted(SERVICES[:2])
    more = run("service_linked_role", services=SERVICES)
    assert more["created"] == sorted(SERVICES[2:]) and read() == sorted(SERVICES)
    assert more["diff"]["before"] == {"services": sorted(SERVICES[:2])}
    with recorded() as calls:
        assert not run("service_linked_role", services=SERVICES)["changed"]
    assert operations(calls) == ["ListRoles"]
    assert not run("service_linked_role", check=True, services=SERVICES)["changed"]


def test_a_role_with_a_suffix_is_not_the_one_that_is_used(aws, read):
    aws("iam").create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="mine")
    assert run("service_linked_role", services=["autoscaling.amazonaws.com"])["changed"]
    assert not run("service_linked_role", services=["autoscaling.amazonaws.com"])["changed"]


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (
            "InvalidInput",
            "Service role name X has been taken in this account, please try a different suffix.",
        ),
        ("EntityAlreadyExists", "Role exists"),
    ],
)
def test_taken_means_there(aws, code, message):
    with recorded(CreateServiceLinkedRole=refuse(code, message)):
        assert run("service_linked_role", services=["ecs.amazonaws.com"])["created"] == ["ecs.amazonaws.com"]


def test_no_permission_says_what_to_ask_for(aws):
    with (
        recorded(CreateServiceLinkedRole=refuse("AccessDenied", "is not authorized")),
        pytest.raises(Failed, match="iam:CreateServiceLinkedRole.*--aws-service-name ecs.amazonaws.com"),
    ):
        run("service_linked_role", services=["ecs.amazonaws.com"])
