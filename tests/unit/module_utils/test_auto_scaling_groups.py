# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import auto_scaling_groups as groups
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError

GROUP = {
    "AutoScalingGroupName": "g",
    "AutoScalingGroupARN": "arn:g",
    "LaunchTemplate": {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "t", "Version": "$Default"},
    "MinSize": 1,
    "MaxSize": 3,
    "DesiredCapacity": 2,
    "DefaultCooldown": 300,
    "HealthCheckType": "EC2",
    "HealthCheckGracePeriod": 0,
    "NewInstancesProtectedFromScaleIn": False,
    "TerminationPolicies": ["Default"],
    "VPCZoneIdentifier": "subnet-2,subnet-1",
    "Instances": [],
    "Tags": [{"Key": "a", "Value": "1"}, {"Key": "aws:cloudformation:stack-name", "Value": "s"}],
}


def row(**other):
    return {
        "id": "i-1",
        "lifecycle_state": "InService",
        "launch_template": "t",
        "launch_template_version": "2",
        **other,
    }


def test_options_from_aws():
    options = groups.options_from_aws(GROUP)
    assert options["subnets"] == ["subnet-1", "subnet-2"]
    assert options["health_check_grace"] == 0 and options["desired"] == 2
    assert options["tags"] == {"a": "1"}
    assert options["status"] is None


@pytest.mark.parametrize(
    ("template", "name", "version"),
    [
        ({"LaunchTemplateName": "t", "Version": "$Default"}, "t", "$Default"),
        ({"LaunchTemplateName": "t"}, "t", "$Default"),
        ({"LaunchTemplateName": "t", "Version": "3"}, "t", "3"),
        (None, None, None),
    ],
)
def test_the_version_that_aws_does_not_show_is_the_default(template, name, version):
    options = groups.options_from_aws({**GROUP, "LaunchTemplate": template})
    assert (options["launch_template"], options["launch_template_version"]) == (name, version)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (set(), {}),
        ({"tags", "name"}, {}),
        ({"min", "health_check_grace"}, {"MinSize": 1, "HealthCheckGracePeriod": 0}),
        ({"new_instances_protected_from_scale_in"}, {"NewInstancesProtectedFromScaleIn": False}),
        ({"launch_template"}, {"LaunchTemplate": {"LaunchTemplateName": "t", "Version": "$Default"}}),
        ({"launch_template_version"}, {"LaunchTemplate": {"LaunchTemplateName": "t", "Version": "$Default"}}),
        ({"subnets"}, {"VPCZoneIdentifier": "subnet-1,subnet-2"}),
    ],
)
def test_parameters_are_only_what_is_named(names, said):
    assert groups.parameters(groups.options_from_aws(GROUP), names) == said


def test_tags_reach_what_is_launched():
    assert groups.tag_list("g", {"b": "2", "a": "1"}) == [
        {"ResourceId": "g", "ResourceType": "auto-scaling-group", "Key": k, "Value": v, "PropagateAtLaunch": True}
        for k, v in (("a", "1"), ("b", "2"))
    ]


@pytest.mark.parametrize(
    ("instance", "old"),
    [
        (row(), False),
        (row(launch_template_version=2), False),
        (row(launch_template_version="1"), True),
        (row(launch_template="other"), True),
        (row(launch_template=None, launch_template_version=None), True),
        (row(launch_template_version="1", lifecycle_state="Terminating"), False),
        (row(launch_template_version="1", lifecycle_state="Pending"), False),
    ],
)
def test_outdated(instance, old):
    assert groups.outdated([instance], "t", 2) == (["i-1"] if old else [])


@pytest.mark.parametrize(("minimum", "maximum", "desired"), [(0, 0, None), (1, 3, None), (1, 3, 1), (1, 3, 3)])
def test_good_sizes(minimum, maximum, desired):
    groups.check_sizes(minimum, maximum, desired)


@pytest.mark.parametrize(
    ("minimum", "maximum", "desired", "said"),
    [(-1, 3, None, "min is -1"), (4, 3, None, "max is 3"), (1, 3, 0, "desired is 0"), (1, 3, 4, "desired is 4")],
)
def test_bad_sizes(minimum, maximum, desired, said):
    with pytest.raises(ResourceError, match=said):
        groups.check_sizes(minimum, maximum, desired)


@pytest.mark.parametrize(("status", "deleted"), [(None, False), ("", False), ("Delete in progress", True)])
def test_being_deleted(status, deleted):
    assert groups.being_deleted({**GROUP, "Status": status}) is deleted
