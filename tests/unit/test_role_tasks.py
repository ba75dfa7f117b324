# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What tasks of the roles must do first, and what they must pass on."""

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

ROLES = Path(__file__).resolve().parents[2] / "roles"


def tasks(role, file):
    return yaml.safe_load((ROLES / role / "tasks" / file).read_text(encoding="utf-8"))


@pytest.mark.parametrize("role", ["instances", "load_balancer"])
def test_what_services_stand_on_refuses_to_go_before_them(role):
    first = tasks(role, "absent.yml")[0]
    assert first["handson.ecs.ecs_cluster"] == {
        "name": "{{ cluster_name }}",
        "state": "absent",
        "only_refuse": True,
        "owner": "{{ stack_cluster_owner }}",
    }
    assert first["when"] == "not ansible_check_mode"


def test_nothing_of_a_cluster_goes_before_its_services():
    first = yaml.safe_load((ROLES.parent / "playbooks/tasks/cluster_absent.yml").read_text(encoding="utf-8"))[0]
    assert first["ansible.builtin.import_role"] == {"name": "handson.ecs.cluster", "tasks_from": "refuse"}
    (refuse,) = tasks("cluster", "refuse.yml")
    assert refuse["handson.ecs.ecs_cluster"]["only_refuse"] is True


def test_a_stack_goes_after_its_cluster_was_emptied():
    first, then = tasks("cluster_stack", "absent.yml")
    assert first["handson.ecs.ecs_cluster"] == {
        "name": "{{ cluster_name }}",
        "state": "absent",
        "only_empty": True,
        "owner": "{{ stack_cluster_owner }}",
    }
    assert first["when"] == "not ansible_check_mode"
    assert "handson.ecs.cloudformation_stack" in then


def test_the_log_group_of_container_insights_is_taken_over_only_with_a_cluster_of_ours():
    (keep,) = tasks("cluster", "insights.yml")
    gone, group = tasks("cluster", "absent.yml")
    assert "owner" not in keep["handson.ecs.log_group"], "AWS makes it, without tags"
    assert "stack_cluster_owner" in keep["handson.ecs.log_group"]["tags"]
    assert keep["when"] == "cluster_container_insights != 'disabled'"
    *_, cluster, last = tasks("cluster", "present.yml")
    assert "handson.ecs.ecs_cluster" in cluster, "refused where it is somebody else's"
    assert last["ansible.builtin.import_tasks"] == "insights.yml"
    assert "owner" not in group["handson.ecs.log_group"]
    assert group["handson.ecs.log_group"]["name"] == keep["handson.ecs.log_group"]["name"]
    assert group["when"] == f"not {gone['register']}.foreign | default(false)"


def test_tasks_that_were_run_once_stop_before_their_definition_goes():
    first = tasks("task_definition", "absent.yml")[0]["handson.ecs.ecs_run_task"]
    assert first["state"] == "absent" and first["owner"] == "{{ stack_service_owner }}"


def test_tasks_that_are_run_once_get_the_services_addresses():
    (run,) = (t[m] for t in tasks("task_definition", "run.yml") if (m := "handson.ecs.ecs_run_task") in t)
    (keep,) = (t[m] for t in tasks("service", "present.yml") if (m := "handson.ecs.ecs_service") in t)
    for option in ("network", "security_groups", "assign_public_ip"):
        assert run[option] == keep[option]


def test_the_tasks_security_group_comes_before_whatever_uses_it_and_goes_after():
    group = {"name": "handson.ecs.security_groups"}
    for role, file, user in (("service", "present.yml", "ecs_service"), ("task_definition", "run.yml", "ecs_run_task")):
        order = [t.get("ansible.builtin.import_role", t.get(f"handson.ecs.{user}", {})) for t in tasks(role, file)]
        made = order.index(group | {"tasks_from": "task_present"})
        assert "cluster" in order[made + 1], "right before it, so that nothing is left where something before it fails"
    gone = tasks("service", "absent.yml")
    assert gone[0]["handson.ecs.ecs_service"]["wait_timeout"]
    once = gone[1]["handson.ecs.ecs_run_task"]
    assert once["state"] == "absent" and once["owner"] == "{{ stack_service_owner }}"
    assert gone[2]["ansible.builtin.import_role"] == group | {"tasks_from": "task_absent"}


def test_rules_of_the_tasks_of_before_go_after_the_roll_out():
    *_, wait, purge = (t for t in tasks("service", "present.yml") if "listener" not in t["name"])
    assert "handson.ecs.ecs_service" in wait
    assert purge["vars"] == {"__security_groups_rolled_out": True}
    assert "service_wait" in purge["when"] and "extra_rules" in purge["when"]


def test_ports_of_before_are_closed_after_the_listeners_have_moved():
    """Closed first, 443 answered nobody any more while 80 still led there."""
    stages = yaml.safe_load((ROLES.parent / "playbooks/tasks/cluster.yml").read_text(encoding="utf-8"))
    (first,) = [t for t in stages if t["ansible.builtin.import_role"]["name"] == "handson.ecs.security_groups"]
    assert first["vars"] == {"__security_groups_before_listeners": True}
    assert {"ansible.builtin.import_tasks": "balancer_present.yml"}.items() <= tasks("security_groups", "present.yml")[0].items()
    (keep,) = tasks("security_groups", "balancer_present.yml")
    keep_group, seen = keep["handson.ecs.security_group"], keep["register"]
    *_, moved, close = tasks("load_balancer", "present.yml")
    assert "handson.ecs.load_balancer" in moved
    assert close["ansible.builtin.import_role"] == {"name": "handson.ecs.security_groups", "tasks_from": "balancer_present"}

    def templated(text, **given):
        return Templar(DataLoader(), variables=given).template(trust_as_template(text))

    assert templated(keep_group["purge_rules"], **first["vars"]) is False
    assert templated(keep_group["purge_rules"], **close["vars"]) is True
    assert templated(keep_group["purge_rules"]) is True, "playbooks/network.yml has no second task"
    for result, closes in (({}, False), ({"extra_rules": []}, False), ({"extra_rules": ["tcp 443 from 0.0.0.0/0"]}, True)):
        assert templated("{{ " + close["when"] + " }}", **{seen: result}) is closes
    assert templated("{{ " + close["when"] + " }}") is False, "playbooks/load_balancer.yml alone"


@pytest.mark.parametrize(
    ("given", "host"),
    [
        ({}, None),
        ({"target_group_rule_hosts": []}, None),
        ({"target_group_rule_hosts": ["api.example.org", "www.example.org"]}, "api.example.org"),
        ({"target_group_rule_hosts": ["*.example.org", "v?.example.org", "api.example.org"]}, "api.example.org"),
        ({"target_group_rule_hosts": ["*.example.org"]}, None),
        ({"target_group_rule_hosts": ["*.example.org"], "verify_host": "a.example.org"}, "a.example.org"),
        ({"target_group_rule_hosts": ["api.example.org"], "verify_host": ""}, "api.example.org"),
    ],
)
def test_load_goes_to_the_name_by_which_a_rule_selects(given, host):
    load = tasks("service", "stress.yml")[0]
    values = {n: trust_as_template(v) for n, v in load["vars"].items()} | {"omit": None}
    templar = Templar(DataLoader(), variables={**values, **given})
    assert templar.template(trust_as_template(load["handson.ecs.ecs_service_load"]["host"])) == host


def told(role, **given):
    """Return what the summary of a role's tell.yml says, and a function that templates as its tasks do."""
    loader = DataLoader()
    values = {}
    for name in ("naming/defaults", f"{role}/defaults", f"{role}/vars"):
        if (ROLES / name / "main.yml").exists():
            values |= loader.load_from_file(str(ROLES / name / "main.yml"), trusted_as_template=True)
    say = tasks(role, "tell.yml")[0]
    values |= {n: trust_as_template(v) for n, v in say.get("vars", {}).items()}
    templar = Templar(loader, variables={**values, "inventory_hostname": "petclinic-rest-cluster", **given})

    def templated(text):
        return templar.template(trust_as_template(text))

    summary = say["handson.ecs.summary"]
    return templated(summary["title"]), [n for n in map(templated, summary["notes"]) if n], templated


@pytest.mark.parametrize(
    ("group", "note", "acts"),
    [
        ((2, 4), "", True),
        ((2, 3), "ecs-instances still has min 2 and max 3, while instances_min is 2 and instances_max is 4.", True),
        ((2, 2), "still has min 2 and max 2", False),
    ],
)
@pytest.mark.parametrize("most", [4, "4"])
def test_the_bounds_that_are_told_are_the_groups(group, note, acts, most):
    policy = {"group": {"min": group[0], "max": group[1], "desired": 2}, "alarms": []}
    given = {"__instance_scaling_policy": {"policy": policy}, "instances_max": most}
    title, notes, templated = told("instance_scaling", **given)
    assert title == f"petclinic-rest-cluster scales from {group[0]} to {group[1]} instances"
    assert (note in notes[0] and "playbooks/cluster.yml" in notes[0]) if note else not notes
    (stop,) = tasks("instance_scaling", "bounds.yml")
    assert "not ansible_check_mode" in stop["when"], "the run that is tried out would give the group its bounds"
    assert templated("{{ " + stop["ansible.builtin.assert"]["that"] + " }}") is acts


@pytest.mark.parametrize(
    ("now", "note"), [((2, 16), ""), ((4, 16), "A scheduled action has set these bounds; service_scaling_min is 2")]
)
def test_the_bounds_that_are_told_are_the_scalable_targets(now, note):
    target = {"scalable_target": {"min": now[0], "max": now[1], "alarms": []}}
    title, notes, _templated = told("service_scaling", service_name="posts", __service_scaling_target=target)
    assert title == f"posts scales from {now[0]} to {now[1]} tasks"
    assert note in notes[0] if note else not notes


def kept_by(mode, enabled, after_instances):
    """Return what instances (where it goes first) and instance_scaling do about policy and provider: [task name]."""
    loader = DataLoader()
    values = loader.load_from_file(str(ROLES / "instance_scaling/vars/main.yml"), trusted_as_template=True)
    given = {"instance_scaling_mode": mode, "instances_capacity_provider_enabled": enabled}
    if after_instances:
        given["__instance_scaling_after_instances"] = True
    templar = Templar(loader, variables={**values, **given})

    def runs(task):
        return templar.template(trust_as_template("{{ " + str(task.get("when", True)) + " }}"))

    inner = [t["name"] for t in tasks("instances", "capacity_provider.yml") if runs(t)]
    found = inner if after_instances and runs(tasks("instances", "present.yml")[-1]) else []
    policy, provider = tasks("instance_scaling", "present.yml")[-2:]
    return found + ([policy["name"]] if runs(policy) else []) + (inner if runs(provider) else [])


@pytest.mark.parametrize(
    ("mode", "enabled", "said"),
    [
        ("capacity_provider", True, ["Take the scaling policy", "Keep the capacity provider"]),
        ("none", True, ["Take the scaling policy", "Keep the capacity provider"]),
        ("none", False, ["Keep the scaling policy"]),
        ("target_tracking", False, ["Keep the scaling policy"]),
    ],
)
def test_site_keeps_policy_and_capacity_provider_once(mode, enabled, said):
    (scaling,) = [
        t
        for t in yaml.safe_load((ROLES.parent / "playbooks/tasks/cluster.yml").read_text(encoding="utf-8"))
        if t["ansible.builtin.import_role"]["name"] == "handson.ecs.instance_scaling"
    ]
    assert scaling["vars"] == {"__instance_scaling_after_instances": True}
    names = kept_by(mode, enabled, True)
    assert len(names) == len(said) and all(s in n for s, n in zip(said, names)), names
    # playbooks/scaling.yml comes without the role instances.
    alone = " ".join(kept_by(mode, enabled, False))
    assert "scaling policy" in alone and ("Keep the capacity provider" in alone) == (mode == "capacity_provider")
