# SPDX-License-Identifier: GPL-3.0-or-later
"""What the module `report` would have read of the tutorial's account (section 6)."""

from __future__ import annotations

import copy

NOW = 1795320000.0
GROUP = "arn:aws:elasticloadbalancing:ap-southeast-1:123456789012:targetgroup/petclinic-rest-target/1"
BALANCER = "arn:aws:elasticloadbalancing:ap-southeast-1:123456789012:loadbalancer/app/petclinic-rest-alb/1"


def flat(value):
    """A series of three hours with one value."""
    return [[NOW - 10800 + 60 * m, value] for m in range(180)]


def instance(zone):
    return {"arn": f"arn:ci/{zone}", "id": f"i-{zone}", "type": "t2.medium", "zone": f"ap-southeast-1{zone}", "status": "ACTIVE",
            "connected": True, "cpu": 2048, "memory": 3953, "public_ip": True, "volumes": [{"type": "gp3", "size": 30}]}  # fmt: skip


def task(zone):
    return {"id": f"task{zone}", "instance": f"arn:ci/{zone}", "zone": f"ap-southeast-1{zone}", "status": "RUNNING",
            "revision": "petclinic-rest-task:1"}  # fmt: skip


def service(**changes):
    found = {
        "name": "petclinic-rest-service", "missing": False, "status": "ACTIVE", "desired": 2, "running": 2, "pending": 0,
        "launch_type": "EC2", "capacity_provider": None, "public_ip": False, "maximum_percent": 200, "minimum_percent": 100,
        "task_definition": "petclinic-rest-task:1", "task": {"cpu": 512, "memory": 1024, "images": ["app: petclinic-rest:latest"]},
        "deployments": [{"status": "PRIMARY", "rollout": "COMPLETED", "reason": "", "task_definition": "petclinic-rest-task:1",
                         "desired": 2, "running": 2, "failed": 0, "started": NOW - 9000}],
        "history": [{"id": "d1", "status": "SUCCESSFUL", "reason": "", "started": NOW - 9000, "finished": NOW - 8800}],
        "events": [{"at": NOW - 8800, "message": "(service petclinic-rest-service) has reached a steady state."}],
        "tasks": [task("a"), task("b")],
        "ended": [{"id": "t0", "at": NOW - 500, "revision": "petclinic-rest-task:1", "wanted": False, "why": "exit code 137"}],
        "target_groups": [{"arn": GROUP, "name": "petclinic-rest-target", "balancers": [BALANCER], "path": "/actuator/health",
                           "states": {"healthy": 2}, "reasons": [], "metric": "targetgroup/petclinic-rest-target/1",
                           "balancer_metric": "app/petclinic-rest-alb/1"}],
        "scaling": {"low": 2, "high": 16, "targets": [{"metric": "cpu", "value": 55.0}]}, "url": "http://$host/actuator/health",
        "series": {"cpu": flat(3.5), "memory": flat(60.2), "healthy": flat(2.0), "requests": [[NOW - 600, 5.0]]},
    }  # fmt: skip
    return {**found, **copy.deepcopy(changes)}


def seen(**changes):
    """Everything; `changes` are of the top level."""
    found = {
        "region": "ap-southeast-1", "account": "123456789012", "endpoint": "", "hours": 3.0, "start": NOW - 10800, "end": NOW,
        "period": 60, "problems": [],
        "clusters": [{"name": "petclinic-rest-cluster", "missing": False, "load_balancer": "petclinic-rest-alb", "insights": False,
                      "group": {"name": "g", "low": 2, "high": 4, "desired": 2}, "instances": [instance("a"), instance("b")],
                      "series": {"cpu_reservation": flat(25.0), "memory_reservation": flat(25.9)}, "services": [service()]}],
        "load_balancers": [{"arn": BALANCER, "name": "petclinic-rest-alb", "dns": "petclinic-rest-alb-1.elb.amazonaws.com",
                            "scheme": "internet-facing", "state": "active", "zones": 2, "metric": "app/petclinic-rest-alb/1",
                            "listeners": [{"protocol": "HTTP", "port": 80, "rules": [
                                {"priority": "default", "paths": [], "hosts": [], "target_groups": [GROUP]}]}]}],
        "alarms": [{"name": "errors", "state": "ALARM", "reason": "Threshold Crossed", "since": NOW - 60, "description": "5xx"}],
    }  # fmt: skip
    return {**found, **copy.deepcopy(changes)}
