# SPDX-License-Identifier: GPL-3.0-or-later
"""What breaks a service on Fargate, and what does not."""

import pytest
from ansible_collections.handson.ecs.plugins.module_utils.preflight import (
    checks,
    facts as found,
    service as services,
    task_definition as tasks,
)
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fargate import SIZES
from unit.preflight.samples import cluster, fargate, one, seen

#: The developer guide's table: CPU units, smallest and largest GiB, step in GiB, how many there are.
TABLE = [
    (512, 1, 4, 1, 4),
    (1024, 2, 8, 1, 7),
    (2048, 4, 16, 1, 13),
    (4096, 8, 30, 1, 23),
    (8192, 16, 60, 4, 12),
    (16384, 32, 120, 8, 12),
]


def test_the_tutorials_service_runs_on_fargate_without_instances():
    hosts = [cluster(instances_count=0, instances_min=0), fargate()]
    assert checks.check_values(hosts) == []
    assert checks.check_room(hosts, {}) == []


def test_sizes_are_those_of_the_developer_guide():
    assert SIZES[256] == [512, 1024, 2048], "not 1536"
    assert [256, *(row[0] for row in TABLE)] == list(SIZES)
    for cpu, low, high, step, number in TABLE:
        sizes = SIZES[cpu]
        assert (sizes[0], sizes[-1], sizes[1] - sizes[0], len(sizes)) == (low * 1024, high * 1024, step * 1024, number)


@pytest.mark.parametrize(
    ("cpu", "memory"),
    [(cpu, memory) for cpu in SIZES for memory in (SIZES[cpu][0], SIZES[cpu][-1])] + [(".5 vCPU", "1 GB"), (256, 1024)],
)
def test_good_sizes(cpu, memory):
    host = fargate(
        task_definition_cpu=cpu,
        task_definition_memory=memory,
        task_definition_memory_reservation=None,
    )
    assert list(tasks.check_task_definition(host)) == []


@pytest.mark.parametrize(
    ("cpu", "memory", "variable", "says"),
    [
        ("300", "1024", "task_definition_cpu", "256, 512, 1024, 2048, 4096, 8192, 16384"),
        ("128", "1024", "task_definition_cpu", "no such size"),
        ("", "1024", "task_definition_cpu", "needs a size"),
        ("512", "", "task_definition_memory", "Set it to 1024, 2048, 3072 or 4096 MiB"),
        ("300", "", "task_definition_memory", "task_definition_cpu"),
        ("256", "1536", "task_definition_memory", "512, 1024 or 2048 MiB"),
        ("256", "1536", "task_definition_memory", "Set it to 2048."),
        ("256", "4096", "task_definition_memory", "Set it to 2048, or task_definition_cpu to 512 or 1024 or 2048."),
        ("512", "1536", "task_definition_memory", "Set it to 2048."),
        ("1024", "1024", "task_definition_memory", "2048 to 8192 MiB in steps of 1024"),
        ("8192", "18432", "task_definition_memory", "Set it to 20480, or task_definition_cpu to 4096."),
        ("16384", "131072", "task_definition_memory", "Set it to 122880."),
    ],
)
def test_bad_sizes(cpu, memory, variable, says):
    host = fargate(
        task_definition_cpu=cpu,
        task_definition_memory=memory,
        task_definition_memory_reservation=None,
    )
    faults = list(tasks.check_task_definition(host))
    assert variable in seen(faults) and len(faults) == 1 + (cpu == "300" and not memory)
    assert any(says in f.problem + " " + f.remedy for f in faults), faults


def container(**given):
    return [{"name": "log", **given}]


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({"task_definition_network_mode": "bridge"}, "task_definition_network_mode", "awsvpc only"),
        ({"task_definition_host_port": 80}, "task_definition_host_port", "container's port, 9460"),
        ({"task_definition_stop_timeout": 121}, "task_definition_stop_timeout", "2 to 120"),
    ]
    + [
        ({"task_definition_extra_containers": container(**given)}, "task_definition_extra_containers", says)
        for given, says in (
            ({"privileged": True}, "privileged of the container 'log'"),
            ({"extraHosts": [{"hostname": "a", "ipAddress": "10.0.0.1"}]}, "extra_hosts"),
            ({"links": ["a"]}, "links"),
            ({"linux_parameters": {"shared_memory_size": 64}}, "linux_parameters.shared_memory_size"),
            ({"linuxParameters": {"swappiness": 0}}, "linux_parameters.swappiness"),
            ({"linux_parameters": {"capabilities": {"add": ["SYS_PTRACE", "NET_ADMIN"]}}}, "capability NET_ADMIN"),
            ({"resource_requirements": [{"type": "GPU", "value": "1"}]}, "a GPU"),
            ({"log_configuration": {"log_driver": "journald"}}, "log driver journald"),
            ({"port_mappings": [{"container_port": 80, "host_port": 8080}]}, "host port 8080 for its port 80"),
        )
    ]
    + [
        ({"task_definition_volumes": [{"name": "data", **given}]}, "task_definition_volumes", says)
        for given, says in (
            ({"host": {"source_path": "/data"}}, "/data"),
            ({"host": {"sourcePath": "/data"}}, "'data'"),
            ({"docker_volume_configuration": {"scope": "shared"}}, "docker_volume_configuration"),
        )
    ],
)
def test_task_definition(changes, variable, says):
    one(tasks.check_task_definition, fargate(**changes), variable, says)


@pytest.mark.parametrize(
    "changes",
    [
        {"task_definition_host_port": 9460},
        {"task_definition_extra_containers": container(privileged=False, links=[])},
        {"task_definition_extra_containers": container(log_configuration={"logDriver": "awsfirelens"})},
        {"task_definition_extra_containers": container(linux_parameters={"init_process_enabled": True})},
        {"task_definition_extra_containers": container(port_mappings=[{"container_port": 80, "host_port": 80}])},
        {"task_definition_volumes": [{"name": "scratch"}, {"name": "scratch2", "host": {}}]},
        {"task_definition_volumes": [{"name": "shared", "efs_volume_configuration": {"file_system_id": "fs-1"}}]},
    ],
)
def test_good_task_definitions(changes):
    assert list(tasks.check_task_definition(fargate(**changes))) == []


SPREAD = [{"type": "spread", "field": "instanceId"}]
DAEMON = {
    "service_scheduling_strategy": "DAEMON",
    "service_availability_zone_rebalancing": "DISABLED",
    "service_minimum_healthy_percent": 0,
    "service_maximum_percent": 100,
}


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        (DAEMON, "service_scheduling_strategy", "no instances"),
        ({"service_placement_constraints": [{"type": "distinctInstance"}]}, "service_placement_constraints", "[]"),
        ({"service_placement_strategy": SPREAD}, "service_placement_strategy?", "by itself"),
        ({"service_capacity_provider": "spot"}, "service_capacity_provider", "no notice"),
        ({"service_assign_public_ip": False}, "service_assign_public_ip?", "endpoints"),
        ({"service_assign_public_ip": False, "network_mode": "create"}, "service_assign_public_ip?", "endpoints"),
        ({"service_security_group_names": []}, "service_security_group_names?", "default group"),
        ({"service_security_group_names": list("abcdef")}, "service_security_group_names", "at most 5"),
    ],
)
def test_service(changes, variable, says):
    one(services.check_service, fargate(**changes), variable, says)


def test_what_is_no_fault_of_a_service():
    assert list(services.check_service(fargate(service_assign_public_ip=False, network_mode="existing"))) == []
    host = fargate(service_capacity_provider="petclinic-rest-capacity-provider")
    host.given.discard("service_capacity_provider")  # the cluster's, by default; the launch type wins
    assert list(services.check_service(host)) == []


def test_its_group_lets_in_the_group_of_its_clusters_load_balancer():
    clusters = {"petclinic-rest-cluster": cluster(security_groups_load_balancer_name="front-sg")}
    faults = list(services.check_cluster_of(fargate(), clusters))
    assert seen(faults) == ["security_groups_load_balancer_name"] and "'front-sg'" in faults[0].problem
    assert list(services.check_cluster_of(fargate(service_security_group_names=["mine-sg"]), clusters)) == []


@pytest.mark.parametrize(
    ("changes", "faults"),
    [
        ({}, ["task_definition_launch_type"]),
        (DAEMON, []),
        ({"service_desired_count": 0}, []),
        ({"service_desired_count": "keep"}, []),
    ],
)
def test_a_service_on_instances_of_a_cluster_that_has_none(changes, faults):
    hosts = [cluster(instances_count=0, instances_min=0), fargate(task_definition_launch_type="EC2", **changes)]
    assert seen(checks.check_room(hosts, {})) == faults


LIVING = {"cluster": "petclinic-rest-cluster", "service": "petclinic-rest-service", "launch_type": "EC2"}


@pytest.mark.parametrize(
    ("host", "living", "says"),
    [
        (fargate(), [LIVING], "with launch type EC2"),
        (fargate(), [LIVING | {"launch_type": None}], "by a capacity provider"),
        (fargate(), [LIVING], "teardown_service.yml --limit petclinic-rest-service"),
        (fargate(), [LIVING | {"launch_type": "FARGATE"}], None),
        (fargate(), [LIVING | {"service": "vets-service"}], None),
        (fargate(), [LIVING | {"cluster": "vets-cluster"}], None),
        (fargate(), [], None),
        (fargate(), None, None),
        (fargate(service_state="absent"), [LIVING], None),
        (fargate(task_definition_launch_type="EC2"), [LIVING | {"launch_type": "FARGATE"}], None),
    ],
)
def test_a_living_service_on_instances_is_told_before_it_loses_them(host, living, says):
    faults = [f for f in checks.check_facts([host], {"services": living}, "all") if "service" in f.problem]
    assert seen(faults) == (["task_definition_launch_type"] if says else [])
    assert all(says in f.problem + f.remedy for f in faults)


def test_only_services_on_fargate_are_looked_up():
    hosts = [cluster(), fargate("a", service_name="a"), fargate("b", task_definition_launch_type="EC2")]
    assert found.questions(hosts, hosts)["services"] == [{"cluster": "petclinic-rest-cluster", "service": "a"}]
