# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A running endpoint for the session, emptied before each test, and clients for it."""

import pytest
from endpoint.support import Account, Launcher, free_port


@pytest.fixture
def launcher(tmp_path):
    """A launcher of an endpoint that is stopped after the test."""
    launch = Launcher(tmp_path / "state", free_port())
    yield launch
    launch("stop")


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """The launcher of one running endpoint for the whole session."""
    launch = Launcher(tmp_path_factory.mktemp("endpoint") / "state", free_port())
    started = launch("start")
    assert started.returncode == 0, started.stderr
    yield launch
    launch("stop")


@pytest.fixture
def aws(shared):
    """An empty account."""
    assert shared("reset").returncode == 0
    return Account(shared.port)


@pytest.fixture
def demo(aws):
    """An account with cluster `demo`, two t2.medium instances, a target group on a listener and a task definition."""
    aws.ecs.create_cluster(clusterName="demo")
    aws.asg_name = aws.instances("demo", 2)
    aws.target_group = aws.balancer()
    aws.task_definition()
    return aws


@pytest.fixture
def load_balancers(demo):
    """The load balancer part of a service."""
    return [{"targetGroupArn": demo.target_group, "containerName": "web", "containerPort": 9460}]
