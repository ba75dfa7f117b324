# SPDX-License-Identifier: GPL-3.0-or-later
"""Several hosts at once: shared names, listeners, room; facts; the report."""

import pytest
from ansible_collections.handson.ecs.plugins.module_utils.preflight import (
    capacity,
    checks,
    facts as found,
    instance_types,
    names,
    service as services,
    variables,
)
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import NOTHING, Fault, Host
from ansible_collections.handson.ecs.plugins.module_utils.preflight.load_balancer import check_shared_listeners
from unit.preflight.samples import cluster, seen, service


def room(one, two=None, **asked):
    one, two = two or service(), one
    return list(capacity.check_room(one, {two.name: two}, asked))


def test_what_a_t2_medium_registers():
    kind = instance_types.instance_type("t2.medium")
    assert (kind.cpu, kind.memory) == (2048, 3953)
    assert kind.memory // 1024 == 3 and kind.memory // 625 == 6


@pytest.mark.parametrize(
    ("changes", "each"),
    [
        ({}, 3),  # 1024 of 3953 MiB
        ({"task_definition_memory": ""}, 4),  # 512 of 2048 CPU units; 625 MiB would let 6 in
        ({"task_definition_memory": "", "task_definition_cpu": ""}, 6),
        ({"task_definition_host_port": 9460}, 1),
        ({"task_definition_network_mode": "awsvpc"}, 2),
        ({"task_definition_network_mode": "host"}, 1),
        ({"service_placement_constraints": [{"type": "distinctInstance"}]}, 1),
        ({"task_definition_cpu": "4096"}, 0),
        ({"task_definition_memory": "3954"}, 0),
        (
            {
                "task_definition_extra_containers": [{"name": "log", "cpu": 1, "memory": 1}],
                "task_definition_memory": "",
            },
            4,
        ),
    ],
)
def test_tasks_per_instance(changes, each):
    assert min(capacity.limits(service(**changes), instance_types.instance_type("t2.medium")).values()) == each


@pytest.mark.parametrize(
    ("of_cluster", "of_service", "variable", "says"),
    [
        ({}, {}, None, ""),
        ({}, {"service_desired_count": 5}, None, ""),
        # 6 fit, all 6 must go on running
        ({}, {"service_desired_count": 6}, "service_minimum_healthy_percent", "nothing fits beside them"),
        ({}, {"service_desired_count": 6, "service_minimum_healthy_percent": 50}, None, ""),
        ({}, {"service_desired_count": 7}, "service_desired_count", "room for 6"),
        # a fixed port: one task an instance, and no instance to spare
        ({}, {"task_definition_host_port": 9460}, "service_minimum_healthy_percent", "task_definition_host_port to 0"),
        ({}, {"task_definition_host_port": 9460, "service_minimum_healthy_percent": 50}, None, ""),
        (
            {"instances_count": 1, "instances_min": 1},
            {"service_desired_count": 3},
            "service_minimum_healthy_percent",
            "1 × t2.medium has room for 3",
        ),
        ({"instances_type": "t2.micro"}, {}, "task_definition_memory", "no instance holds one"),
        (
            {"instances_type": "t2.micro"},
            {"task_definition_memory": "", "task_definition_memory_reservation": 256},
            None,
            "",
        ),
        ({"instances_count": "keep", "instances_max": 4}, {"service_desired_count": 10}, None, ""),
        ({"instances_max": 9, "instances_capacity_provider_enabled": True}, {"service_desired_count": 20}, None, ""),
        ({}, {"service_desired_count": "keep"}, None, ""),
        ({}, {"task_definition_launch_type": "FARGATE", "service_desired_count": 99}, None, ""),
        ({"instances_type": "z9.none"}, {"service_desired_count": 99}, None, ""),  # nobody told what it holds
        (
            {"instances_type": "t2.nano"},
            {"task_definition_memory": "", "task_definition_memory_reservation": 600},
            "task_definition_memory_reservation",
            "512",
        ),
    ],
)
def test_room(of_cluster, of_service, variable, says):
    faults = room(cluster(**of_cluster), service(**of_service))
    assert seen(faults) == ([variable] if variable else [])
    assert all(says in f.problem + f.remedy for f in faults)


def test_the_monolith_fits_its_micro_instances():
    api = service(
        task_definition_cpu="", task_definition_memory="", task_definition_memory_reservation=None,
        task_definition_memory_limit=256, task_definition_container_cpu=256, service_desired_count=1,
    )  # fmt: skip
    assert room(cluster(instances_type="t2.micro"), api) == []


def test_what_the_api_told_wins_over_the_table():
    told = {"vcpus": 8, "memory": 65536, "interfaces": 4, "architectures": ["x86_64"]}
    assert room(cluster(instances_type="r9.big"), service(service_desired_count=20), **{"r9.big": told}) == []


def test_an_unknown_type_is_counted_as_the_one_probably_meant():
    faults = room(cluster(instances_type="t2.mediun"), service(task_definition_memory="4000"), **{"t2.mediun": None})
    assert seen(faults) == ["task_definition_memory"] and "t2.medium registers" in faults[0].problem


def test_services_share_the_instances():
    three = [service(f"s{n}", service_desired_count=3) for n in range(3)]
    faults = list(capacity.check_shared_room(cluster(), three))
    assert seen(faults) == ["instances_count"] and "4608 CPU units" in faults[0].problem
    assert list(capacity.check_shared_room(cluster(), three[:1])) == []
    small = [service(f"s{n}", task_definition_cpu="128", task_definition_memory="128") for n in range(9)]
    assert list(capacity.check_shared_room(cluster(), small)) == []


@pytest.mark.parametrize(
    ("one", "two", "variables"),
    [
        ({}, {"target_group_rule_priority": 1, "target_group_rule_paths": ["/a*"]}, []),
        ({}, {}, ["target_group_rule_priority"]),
        ({}, {"load_balancer_name": "other-alb"}, []),
        (
            {"target_group_rule_priority": 1, "target_group_rule_paths": ["/a*"]},
            {"target_group_rule_priority": "1", "target_group_rule_paths": ["/b*"]},
            ["target_group_rule_priority"],
        ),
        (
            {"target_group_rule_priority": 1, "target_group_rule_paths": ["/a*", "/c"]},
            {"target_group_rule_priority": 2, "target_group_rule_paths": ["/c"]},
            ["target_group_rule_paths"],
        ),
        (
            {
                "target_group_rule_priority": 1,
                "target_group_rule_paths": ["/a*"],
                "target_group_rule_hosts": ["a.example.com"],
            },
            {
                "target_group_rule_priority": 2,
                "target_group_rule_paths": ["/a*"],
                "target_group_rule_hosts": ["b.example.com"],
            },
            [],
        ),
    ],
)
def test_services_of_one_listener(one, two, variables):
    faults = list(check_shared_listeners([service("one", **one), service("two", **two)]))
    assert seen(faults) == variables
    assert {f.host for f in faults} == ({"one", "two"} if variables else set())


def test_names_are_taken_once():
    hosts = [
        service("one"),
        service(
            "two",
            task_definition_family="other",
            task_definition_log_group="other",
            registry_name="other",
            task_definition_execution_role_name="other",
        ),
    ]
    faults = list(names.check_unique(hosts))
    assert seen(faults) == ["target_group_name"] and {f.host for f in faults} == {"one", "two"}
    # Elsewhere they may be the same, but for those of roles: IAM has no regions.
    elsewhere = [service("one"), service("two", aws_region="eu-west-1")]
    assert seen(names.check_unique(elsewhere)) == ["task_definition_execution_role_name"]
    other_account = [service("one"), service("two", aws_region="eu-west-1", aws_account_id="210987654321")]
    assert list(names.check_unique(other_account)) == []


BUILT = {"build_project_source_url": "https://github.com/a/b"}
PIPED = {**BUILT, "pipeline_enabled": True}


@pytest.mark.parametrize(
    ("variable", "one", "two", "told"),
    [
        *((v, BUILT, BUILT, True) for v in ("build_project_name", "build_project_role_name", "build_project_log_group")),
        *((v, PIPED, PIPED, True) for v in ("pipeline_name", "pipeline_role_name", "pipeline_connection_name")),
        ("pipeline_artifact_bucket", PIPED, {**PIPED, "aws_region": "eu-west-1"}, True),
        ("pipeline_name", PIPED, {**PIPED, "aws_region": "eu-west-1"}, False),
        ("build_project_name", BUILT, {}, False),
        ("build_project_log_group", BUILT, {**BUILT, "service_state": "absent"}, False),
        ("pipeline_connection_name", PIPED, BUILT, False),
        ("pipeline_artifact_bucket", PIPED, {**PIPED, "pipeline_enabled": "no"}, False),
        ("pipeline_connection_name", PIPED, {**PIPED, "pipeline_connection_arn": "arn:aws:codeconnections:…"}, False),
    ],
)
def test_names_of_builds_and_pipelines_are_taken_once(variable, one, two, told):
    own = ("target_group_name", "registry_name", *(f"task_definition_{n}" for n in ("family", "log_group", "execution_role_name")))
    apart = {name: "other" for name in own}
    hosts = [service("one", **one, **{variable: "shared"}), service("two", **{**apart, **two, variable: "shared"})]
    faults = list(names.check_unique(hosts))
    assert seen(faults) == ([variable] if told else [])
    if variable == "pipeline_connection_name":
        assert all("set pipeline_connection_arn" in f.remedy for f in faults)


@pytest.mark.parametrize(
    ("changes", "variable", "says"),
    [
        ({}, None, ""),
        ({"cluster_name": "petclinic-rest-service"}, "cluster_name", "names no cluster"),
        ({"cluster_name": "other"}, "cluster_name", "petclinic-rest-cluster"),
        ({"load_balancer_name": "my-alb"}, "load_balancer_name", "'petclinic-rest-alb'"),
        ({"aws_region": "eu-west-1"}, "aws_region", "'ap-southeast-1'"),
        ({"network_mode": "create"}, None, ""),
        ({"network_mode": "create", "task_definition_network_mode": "awsvpc"}, "network_mode", "'default'"),
    ],
)
def test_a_service_and_its_cluster(changes, variable, says):
    faults = list(services.check_cluster_of(service(**changes), {"petclinic-rest-cluster": cluster()}))
    assert seen(faults) == ([variable] if variable else [])
    assert all(says in f.problem + f.remedy for f in faults)


FACTS = {
    "account": "123456789012",
    "arn": "arn:aws:iam::123456789012:user/vet",
    "region": "ap-southeast-1",
    "endpoint": "http://127.0.0.1:5001",
    "instance_types": {"t2.medium": {"vcpus": 2, "memory": 4096, "interfaces": 3, "architectures": ["x86_64"]}},
    "default_subnets": [
        {"id": "subnet-a", "vpc_id": "vpc-1", "availability_zone": "ap-southeast-1a"},
        {"id": "subnet-b", "vpc_id": "vpc-1", "availability_zone": "ap-southeast-1b"},
    ],
    "subnets": None,
    "parameters": {cluster().values["instances_image_parameter"]: "ami-1"},
    "problems": [],
}
EXISTING = {"network_mode": "existing", "network_vpc_id": "vpc-1", "network_subnet_ids": ["subnet-a", "subnet-b"]}


@pytest.mark.parametrize(
    ("changes", "facts", "variable", "says"),
    [
        ({}, {}, None, ""),
        ({}, {"account": "999999999999"}, "aws_account_id", "your credentials belong to 999999999999"),
        ({"aws_account_id": ""}, {}, None, ""),
        ({}, {"region": "us-east-1"}, "aws_region", "us-east-1"),
        ({"instances_type": "t2.mediun"}, {}, "instances_type", "Did you mean t2.medium?"),
        ({"instances_type": "x"}, {"instance_types": None}, None, ""),
        ({"instances_type": "x", "instances_state": "absent"}, {}, None, ""),
        ({}, {"default_subnets": []}, "network_mode", "no default VPC"),
        ({}, {"default_subnets": FACTS["default_subnets"][:1]}, "network_mode", "one zone"),
        (EXISTING, {"subnets": FACTS["default_subnets"]}, None, ""),
        (EXISTING, {"subnets": FACTS["default_subnets"][:1]}, "network_subnet_ids", "no subnet-b"),
        ({**EXISTING, "network_vpc_id": "vpc-2"}, {"subnets": FACTS["default_subnets"]}, "network_vpc_id", "vpc-1"),
        (
            EXISTING,
            {"subnets": [s | {"availability_zone": "z"} for s in FACTS["default_subnets"]]},
            "network_subnet_ids",
            "zone z",
        ),
        (
            {**EXISTING, "network_subnet_ids": ["subnet-a", "subnet-b", "subnet-c"]},
            {"subnets": [*FACTS["default_subnets"], {**FACTS["default_subnets"][0], "id": "subnet-c"}]},
            "network_subnet_ids",
            "subnet-a, subnet-c all lie in the zone ap-southeast-1a",
        ),
        (
            EXISTING,
            {"subnets": [s | {"vpc_id": s["id"]} for s in FACTS["default_subnets"]]},
            "network_subnet_ids",
            "several VPCs",
        ),
        (
            {},
            {"parameters": {cluster().values["instances_image_parameter"]: None}},
            "instances_image_parameter",
            "no such parameter",
        ),
        (
            {},
            {"parameters": {cluster().values["instances_image_parameter"]: "{}"}},
            "instances_image_parameter",
            "/image_id",
        ),
        ({}, {"endpoint": ""}, "security_groups_ssh_cidrs?", "whole world"),
        (
            {"instances_type": "g1.arm"},
            {"instance_types": {"g1.arm": {"vcpus": 2, "memory": 4096, "interfaces": 3, "architectures": ["arm64"]}}},
            "instances_image_parameter",
            "arm64",
        ),
    ],
)
def test_facts(changes, facts, variable, says):
    faults = checks.check_facts([cluster(**changes)], {**FACTS, **facts}, "all")
    assert seen(faults) == ([variable] if variable else [])
    assert all(says in f.problem + f.remedy for f in faults)


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("unreachable", "AWS_ENDPOINT_URL"),
        ("credentials", "aws sso login"),
        ("permission", "Allow ec2:X"),
        ("other", "Try again"),
    ],
)
def test_a_failed_call_is_a_fault_with_its_way_out(kind, says):
    facts = {**FACTS, "problems": [{"call": "X", "action": "ec2:X", "kind": kind, "message": "no"}]}
    faults = checks.check_facts([cluster(), service()], facts, "account")
    assert seen(faults) == ["aws:X"] and says in faults[0].remedy and checks.counted(faults) == 1


#: A service without builds on an endpoint without containers needs none of these.
NOT_HERE = {"connections": [], "source_credentials": False, "buckets": [], "images": [], "listener_ports": []}


def test_what_is_asked():
    assert found.questions([cluster(), service()], [cluster(), service()]) == {
        "instance_types": ["t2.medium"],
        "subnet_ids": [],
        "default_subnets": True,
        "parameters": [cluster().values["instances_image_parameter"]],
        "listeners": [{"load_balancer": "petclinic-rest-alb", "port": 80}],
        "clusters": ["petclinic-rest-cluster"],
        "services": [],
        **NOT_HERE,
    }
    # A run of the service alone needs its cluster's instance type and no more.
    alone = found.questions([service()], [cluster(), service()])
    assert alone == {
        "instance_types": ["t2.medium"],
        "subnet_ids": [],
        "default_subnets": False,
        "parameters": [],
        # Whether it can go on at once, or must wait for its cluster's stages.
        "listeners": [{"load_balancer": "petclinic-rest-alb", "port": 80}],
        "clusters": ["petclinic-rest-cluster"],
        "services": [],
        **NOT_HERE,
    }


SPECS = {
    "instances_min": {"type": "int", "default": 2},
    "network_mode": {"type": "str", "choices": ["default", "create"], "default": "default"},
    "network_subnet_ids": {"type": "list", "elements": "str", "default": []},
    "instances_volume_kms_key": {"type": "str", "default": ""},
    "instances_public_ip": {"type": "bool"},
    "task_definition_environment": {"type": "dict", "default": {}},
}


@pytest.mark.parametrize(
    ("variable", "value", "becomes", "problem"),
    [
        ("instances_min", "3", 3, None),
        ("instances_min", "many", None, "a whole number"),
        ("instances_min", None, None, "no value"),
        ("network_mode", "mine", None, "none of its choices"),
        ("network_subnet_ids", "a,b", ["a", "b"], None),
        ("network_subnet_ids", {"a": 1}, None, "a list"),
        ("instances_volume_kms_key", None, "", None),
        ("instances_public_ip", None, None, None),
        ("instances_public_ip", "yes", True, None),
        ("task_definition_environment", ["PASSWORD=hunter2"], None, "a dictionary"),
    ],
)
def test_types(variable, value, becomes, problem):
    host = Host("h", "cluster", {variable: value})
    faults = list(variables.validate(host, SPECS))
    if problem:
        assert [f.variable for f in faults] == [variable] and problem in faults[0].problem
        assert variable in host.broken and "hunter2" not in checks.report(faults)
    else:
        assert faults == [] and host.values[variable] == becomes


def test_an_account_id_without_quotes_stays_a_number():
    host = Host("h", "cluster", {"aws_account_id": 12345678901})
    assert list(variables.validate(host, {"aws_account_id": {"type": "str", "default": ""}})) == []
    assert host.values["aws_account_id"] == 12345678901


def test_unknown_variables():
    given = [
        "service_desired_cout",
        "service_zzz",
        "aws_acount_id",
        "aws_profile_of_mine",
        "my_service",
        "__service_x",
        "service_desired_count",
    ]
    known = ["service_desired_count", "aws_account_id", "cluster_name"]
    faults = list(variables.unknown("h", given, known, ["service_"]))
    assert [(f.variable, f.remedy.split("?")[0]) for f in faults if "mean" in f.remedy] == [
        ("aws_acount_id", "Did you mean aws_account_id"),
        ("service_desired_cout", "Did you mean service_desired_count"),
    ]
    assert sorted(f.variable for f in faults) == ["aws_acount_id", "service_desired_cout", "service_zzz"]


def test_the_report_says_once_what_hosts_share():
    both = [Fault(h, "aws_account_id", "", "Not filled in.", "Fill it in.") for h in ("b", "a")]
    text = checks.report([*both, Fault("a", "x_y", NOTHING, "Wrong.", "Mend it.")])
    assert text == (
        "a:\n  x_y\n      Wrong.\n      -> Mend it.\n\n"
        "a, b:\n  aws_account_id = ''\n      Not filled in.\n      -> Fill it in."
    )
    assert checks.counted(both) == 1


def test_only_faults_of_hosts_in_the_run_are_told():
    faults = [Fault(h, "v", 1, "p", "r") for h in ("in", "out", "in")]
    hosts = [Host("in", "service", {}), Host("out", "service", {}, deployed=False)]
    assert [f.host for f in checks.of_deployed(faults, hosts)] == ["in"]


def test_out_of_a_vault_nothing_is_shown():
    host = cluster(key_pair_type="s3cr3t")
    host.hidden = {"key_pair_type"}
    faults = checks.check_values([host])
    assert seen(faults) == ["key_pair_type"]
    assert "s3cr3t" not in checks.report(faults) and "value" not in checks.as_dict(faults[0])


def listener(*actions, port=80, cluster="petclinic-rest-cluster"):
    """One of the tutorial's load balancer, as `preflight_info` tells of it."""
    told = {"load_balancer": "petclinic-rest-alb", "port": port, "default_actions": list(actions or ["forward"])}
    return {**told, "tags": cluster and {"handson:cluster": cluster}}


def test_a_service_whose_cluster_and_listener_stand_need_not_wait():
    hosts = [cluster(), service()]
    listening, active = [listener()], ["petclinic-rest-cluster"]
    assert found.standing(hosts, {"listeners": listening, "clusters": active}) == ["petclinic-rest-service"]
    assert found.standing(hosts, {"listeners": listening, "clusters": []}) == []
    other_port = [listener(port=8080)]
    assert found.standing(hosts, {"listeners": other_port, "clusters": active}) == []
    assert found.standing(hosts, {"listeners": None, "clusters": None}) == []


@pytest.mark.parametrize(
    ("changes", "listeners", "attached", "stands"),
    [
        # What its cluster has yet to make: a provider that is new to a living cluster, or was about to be attached.
        ({"service_capacity_provider": "ours"}, [listener()], [], False),
        ({"service_capacity_provider": "ours"}, [listener()], ["theirs"], False),
        ({"service_capacity_provider": "ours"}, [listener()], None, False),
        ({"service_capacity_provider": "FARGATE_SPOT"}, [listener()], ["ours"], False),
        ({"service_capacity_provider": "ours"}, [listener()], ["ours", "theirs"], True),
        # Neither takes one, whatever its cluster has.
        ({"service_capacity_provider": "ours", "service_scheduling_strategy": "DAEMON"}, [listener()], [], True),
        ({"service_capacity_provider": "ours", "task_definition_launch_type": "FARGATE"}, [listener()], [], True),
        # A certificate was given to the cluster, and was taken away; or half of either was done before a kill.
        ({"load_balancer_service_port": 443}, [listener()], [], False),
        ({"load_balancer_service_port": 443}, [listener("redirect")], [], False),
        ({"load_balancer_service_port": 443}, [listener("redirect"), listener(port=443)], [], True),
        ({}, [listener("redirect"), listener(port=443)], [], False),
        ({}, [listener("fixed-response")], [], True),
        ({"load_balancer_service_port": 443}, [listener(), listener(port=443)], [], False),
        ({}, [listener("fixed-response"), listener(port=443)], [], False),
        # The port was changed.
        ({"load_balancer_service_port": 8080}, [listener(), listener(port=8080)], [], False),
        # Somebody else's is no business of the cluster's; one of which nobody could tell may be.
        ({}, [listener(), listener(port=8443, cluster="other")], [], True),
        ({}, [listener(), listener(port=8443, cluster=None)], [], False),
        ({}, [listener(cluster="other")], [], True),
    ],
)
def test_a_service_never_overtakes_its_cluster(changes, listeners, attached, stands):
    facts = {"listeners": listeners, "clusters": ["petclinic-rest-cluster"]}
    facts["capacity_providers"] = None if attached is None else {"petclinic-rest-cluster": attached}
    assert found.standing([cluster(), service(**changes)], facts) == (["petclinic-rest-service"] if stands else [])
