# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from unit.preflight.samples import cluster, fargate, service

from ansible_collections.handson.ecs.plugins.module_utils.rehearsal import inventory, model, report
from ansible_collections.handson.ecs.plugins.module_utils.rehearsal.simulation import rehearse

SCALED = {
    "service_scaling_enabled": True, "service_scaling_min": 2, "service_scaling_max": "16",
    "service_scaling_target": 55, "service_scaling_scale_in_cooldown": 150, "service_scaling_scale_out_cooldown": 90,
    "task_definition_memory": "",
}  # fmt: skip
GROUP = {"instance_scaling_mode": "target_tracking", "instance_scaling_target": 55, "instances_max": 4}


def setup(of_cluster=None, of_service=None, make=service):
    mine = make(**SCALED | (of_service or {}))
    return inventory.setup_of(mine, {"petclinic-rest-cluster": cluster(**of_cluster or {})}, model.Workload(), False), mine


def test_the_tutorials_inventory():
    got, mine = setup(GROUP)
    assert (got.task.cpu, got.task.memory, got.kind.name, got.tasks, got.instances) == (512, 625, "t2.medium", 2, 2)
    policy = got.service_policy
    assert (policy.minimum, policy.maximum, policy.target, policy.scale_out_cooldown, policy.scale_in_cooldown) == (2, 16, 55, 90, 150)
    assert (got.group_policy.minimum, got.group_policy.maximum, got.group_policy.low_share) == (2, 4, 0.75)
    assert got.provider_policy is None and got.workload.task_stop == 60
    assert any("rehearsal_cpu_limit=auto" in line for line in inventory.remarks(mine, got, True))


@pytest.mark.parametrize(
    ("of_service", "agent", "limited"),
    [
        ({"task_definition_cpu": "512"}, {}, True),
        ({"task_definition_cpu": "512"}, {"ECS_ENABLE_TASK_CPU_MEM_LIMIT": "true"}, True),
        ({"task_definition_cpu": "512"}, {"ECS_ENABLE_TASK_CPU_MEM_LIMIT": False}, False),
        ({"task_definition_cpu": "512"}, {"ECS_ENABLE_TASK_CPU_MEM_LIMIT": "false"}, False),
        ({"task_definition_cpu": "", "task_definition_container_cpu": 512}, {}, False),
    ],
)
def test_who_is_limited_to_its_cpu(of_service, agent, limited):
    of_cluster = cluster(instances_agent_config=agent)
    assert inventory.limited(service(**SCALED | of_service), {"petclinic-rest-cluster": of_cluster}) is limited


def test_a_limited_rehearsal_says_so():
    got, mine = setup(GROUP)
    hard = inventory.setup_of(mine, {"petclinic-rest-cluster": cluster(**GROUP)}, model.Workload(), True)
    assert any("rehearsal_cpu_limit=burst" in line for line in inventory.remarks(mine, hard, True))
    assert not any("rehearsal_cpu_limit" in line for line in inventory.remarks(mine, got, False))


@pytest.mark.parametrize(
    ("of_cluster", "group", "provider"),
    [
        ({}, False, False),
        ({"instances_capacity_provider_enabled": True}, False, True),
        ({"instance_scaling_mode": "capacity_provider"}, False, True),
        ({"instances_capacity_provider_enabled": True, "instances_capacity_provider_managed_scaling": False}, False, False),
        (GROUP | {"instances_capacity_provider_enabled": True}, True, True),
    ],
)
def test_who_scales_instances(of_cluster, group, provider):
    got, mine = setup(of_cluster)
    assert (bool(got.group_policy), bool(got.provider_policy)) == (group, provider)
    assert any("nothing scales the instances" in r for r in inventory.remarks(mine, got, True)) == (not group and not provider)


def test_what_is_not_rehearsed_is_said():
    got, mine = setup(GROUP, {"service_scaling_metric": "ALBRequestCountPerTarget", "service_scaling_policies": [{"name": "x"}]})
    said = " ".join(inventory.remarks(mine, got, True))
    assert "ALBRequestCountPerTarget; only the CPU" in said and "service_scaling_policies isn't rehearsed" in said
    got, mine = setup(GROUP, {"service_scaling_enabled": False, "service_scaling_disable_scale_in": True})
    assert got.service_policy is None and "nothing scales the tasks" in " ".join(inventory.remarks(mine, got, True))


@pytest.mark.parametrize(
    ("of_cluster", "of_service", "make", "says"),
    [
        ({}, {"cluster_name": "elsewhere"}, service, "no host of group clusters"),
        ({}, {}, fargate, "Fargate"),
        ({"instances_type": "zz9.plural"}, {}, service, "instances_type=m5.large"),
        ({}, {"task_definition_cpu": ""}, service, "Set task_definition_cpu"),
        ({}, {"service_scaling_max": None}, service, "service_scaling_max of petclinic-rest-service"),
        ({}, {"service_scaling_min": 17}, service, "above service_scaling_max"),
        (GROUP | {"instance_scaling_target": 0}, {}, service, "above 0"),
    ],
)
def test_mistakes(of_cluster, of_service, make, says):
    with pytest.raises(model.Mistake, match=says):
        setup(of_cluster, of_service, make)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["5"], "is a dictionary"),
        ([{"start": 1}], "either concurrency"),
        ([{"start": 1, "rate": 1, "concurrency": 2}], "either concurrency"),
        ([{"rate": 1}], "lacks start"),
        ([{"start": 1, "rates": 1}], "has rates; known are"),
        ([{"start": 1, "rate": "fast"}], "it is a number"),
        ([{"start": 1, "rate": -1}], "0 or more"),
        ([{"start": 5, "until": 5, "rate": 1}], "not after its start"),
    ],
)
def test_loads_that_make_no_sense(given, says):
    with pytest.raises(model.Mistake, match=says):
        model.loads(given)


def test_loads_and_events_as_ansible_gives_them():
    assert model.loads([{"start": "5", "concurrency": "6", "requests": "100"}]) == [model.Load(5.0, concurrency=6, requests=100)]
    assert [e.minute for e in model.events([{"minute": 9, "deploy": True}, {"minute": "3", "instances": 3}])] == [3, 9]


def test_the_table_has_a_row_wherever_a_count_changes():
    got, _ = setup(GROUP)
    timeline = rehearse(got, [model.Load(5, concurrency=6)], [], 30)
    rows = report.rows(timeline, every=10)
    assert rows[0] == report.HEAD
    assert [r[0] for r in rows[1:3]] == ["0", "5"] and ["20"] == [r[0] for r in rows if r[0] == "20"]
    assert any("of" in r[5] for r in rows[1:])
    assert len(report.log(timeline)) == len(timeline.notes)


def test_the_picture_is_the_same_each_time():
    pytest.importorskip("matplotlib", reason="the plots need matplotlib")
    got, _ = setup(GROUP)
    timeline = rehearse(got, [model.Load(5, concurrency=6)], [], 30)
    one, two = (report.picture(timeline, "A title", [(9, "tasks", "8")]) for _ in range(2))
    assert one == two and b"A title" in one
    assert report.picture(timeline, "A title", form="png").startswith(b"\x89PNG")
