# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Everything that moto lacks or gets wrong and that this collection meets: one module per gap.

Seen on moto 5.2.5 unless a module says otherwise. Each module changes moto's classes when it is imported, through
``patching.replace``; all state hangs on moto's backend objects, so POST /moto-api/reset clears it too.
"""

from importlib import import_module

# The order matters where two modules replace the same method: the later one wraps the earlier one.
MODULES = (
    "quick_reset",
    "ecs_clusters",
    "ecs_capacity_providers",
    "ecs_task_definitions",
    "ecs_tasks",
    "ecs_services",
    "ecs_service_revisions",
    "ecs_service_deployments",
    "ecs_container_instances",
    "cloudformation",
    "elbv2_targets",
    "elbv2_load_balancers",
    "elbv2_not_found",
    "ec2_dependencies",
    "ec2_key_pairs",
    "ec2_launches",
    "ec2_launch_templates",
    "ec2_security_groups",
    "autoscaling_groups",
    "autoscaling_group_metrics",
    "autoscaling_instance_refresh",
    "autoscaling_policies",
    "applicationautoscaling",
    "scaling_activities",
    "iam_service_linked_roles",
    "codeconnections",
    "codepipeline",
    "cloudwatch_dashboards",
    "logs_metric_filters",
    "cloudwatch_statistics",
    "s3_buckets",
    "codebuild_projects",
    "codebuild_webhooks",
    "requests",
)


def install() -> None:
    """Fill the gaps, once per process."""
    for module in MODULES:
        import_module(f"{__name__}.{module}")
