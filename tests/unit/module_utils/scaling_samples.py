# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Options of the module scalable_target, complete and right."""

CPU = {
    "name": "cpu",
    "type": "target_tracking",
    "metric": "ECSServiceAverageCPUUtilization",
    "target": 55,
    "scale_out_cooldown": 150,
    "scale_in_cooldown": 150,
    "disable_scale_in": False,
}
STEP = {
    "name": "steps",
    "type": "step",
    "adjustment_type": "ChangeInCapacity",
    "cooldown": 300,
    "min_adjustment_magnitude": None,
    "metric_aggregation": "Average",
    "steps": [{"lower": 0, "adjustment": 1}],
    "alarm": {
        "metric": "CPUUtilization",
        "statistic": "Average",
        "comparison": "GreaterThanThreshold",
        "threshold": 50,
        "period": 60,
        "evaluation_periods": 3,
        "datapoints_to_alarm": None,
    },
}
ACTION = {"name": "day", "schedule": "cron(0 8 ? * MON-FRI *)", "timezone": "UTC", "min": 2, "max": None}
