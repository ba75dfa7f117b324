# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Nothing scales by itself; what a new limit did to a service's count is told."""

from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError

KEY = {"ServiceNamespace": "ecs", "ResourceId": "service/demo/web", "ScalableDimension": "ecs:service:DesiredCount"}


def test_activities(demo):
    demo.ecs.create_service(cluster="demo", serviceName="web", taskDefinition="web", desiredCount=2)
    client = demo.application_autoscaling

    def told(**more):
        found = client.describe_scaling_activities(**{**KEY, "IncludeNotScaledActivities": True, **more})
        return [(each["Description"], each["Cause"]) for each in found["ScalingActivities"]]

    client.register_scalable_target(**KEY, MinCapacity=2, MaxCapacity=8)
    assert told() == []
    client.register_scalable_target(**KEY, MinCapacity=4)
    client.register_scalable_target(**KEY, MinCapacity=1, MaxCapacity=3)
    up = ("Setting desired count to 4.", "minimum capacity was set to 4")
    down = ("Setting desired count to 3.", "maximum capacity was set to 3")
    assert told() == [down, up] and told(MaxResults=1) == [down]
    assert told(ResourceId="service/demo/other") == []
    (found, _) = client.describe_scaling_activities(**KEY)["ScalingActivities"]
    assert abs(datetime.now(UTC) - found["StartTime"]) < timedelta(minutes=1) and found["StatusCode"] == "Successful"


def test_a_service_namespace_is_needed(demo):
    client = demo.application_autoscaling
    client.meta.config.parameter_validation = False
    with pytest.raises(ClientError):
        client.describe_scaling_activities(ServiceNamespace="")
