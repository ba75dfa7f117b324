# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Updates, bad versions, a killed container, and the end, under a request loop (tutorial section 4.8 and beyond).

In this order: each test leaves the services steady for the next one.
"""

import importlib.util
import re

import pytest
from containers import machine
from containers.load import Load, get, until
from containers.product import CLUSTER, PATHS

IMAGE, TASK, SERVICE = "playbooks/image.yml", "playbooks/task.yml", "playbooks/service.yml"
UPDATE = "playbooks/update.yml"


def each(**values):
    """A variable that has another value for each host; a service that isn't named has the one of `other`."""
    named = {name.replace("_", "-"): value for name, value in values.items()}
    return f"{{{{ {named!r}.get(inventory_hostname, {values.get('other')!r}) }}}}"


def revisions(product):
    return {name: product.service(name)["taskDefinition"].rsplit("/", 1)[-1] for name in PATHS}


def test_a_second_run_changes_nothing(product, say):
    say(f"site.yml: {product.first.seconds:.0f} s")
    before = {name: product.containers(name) for name in PATHS}
    again = product.play("site.yml")
    say(f"site.yml again: {again.seconds:.0f} s, changed={again.changed}")
    assert again.changed == 0, again.text[-6000:]
    assert {name: product.containers(name) for name in PATHS} == before


def test_an_update_loses_no_request(product, say):
    """Beside the old version (100/200) and in its place (50/100), both in one run."""
    with Load(product.listener, PATHS["roll-wide"]) as wide, Load(product.listener, PATHS["roll-tight"]) as tight:
        run = product.play(
            IMAGE,
            UPDATE,
            "--limit",
            "roll-wide,roll-tight",
            containers_build_args={"VERSION": "v2", "MESSAGE": "The second version."},
        )
        until(lambda: {wide.versions[-1], tight.versions[-1]} == {"v2"}, 10, "only the new version")
    say(f"update: {run.seconds:.0f} s")
    for name, load in (("100/200", wide), ("50/100", tight)):
        say(f"{name}: {load}")
        assert load.failed == 0 and load.count > 100 and not load.cut_short
        assert list(dict.fromkeys(load.versions[:1] + load.versions[-1:])) == ["v1", "v2"]
        # Both were seen for a while, and after the run's end nobody saw the old one.
        assert set(load.versions) == {"v1", "v2"}
    for name in ("roll-wide", "roll-tight"):
        answers = [get(product.listener, PATHS[name]) for _ in range(20)]
        assert {headers["X-Version"] for _, headers, _ in answers} == {"v2"}
    assert get(product.listener, "/test/update")[2] == "The second version."


@pytest.fixture(scope="module")
def bad(product):
    """Three bad versions at once: what the run said, what was asked meanwhile, and what was there before."""
    before = revisions(product), {name: product.containers(name) for name in PATHS}
    loads = {name: Load(product.listener, path) for name, path in PATHS.items()}
    for load in loads.values():
        load.start()
    run = product.play(
        IMAGE,
        TASK,
        SERVICE,
        fails=True,
        image_tag=each(roll_third="never-pushed", other="bad"),
        image_context=each(roll_third="", other=str(machine.ROOT / "examples/apps")),
        containers_build_args=each(roll_wide={"CRASH": "1"}, roll_tight={"UNHEALTHY": "1"}, other={}),
    )
    for load in loads.values():
        load.stop()
    return run, loads, before


@pytest.mark.parametrize(
    # Within so many seconds of the deployment's start: far more than a calm machine needs, which takes 4, 38 and 2, since one
    # with five times as much to do as it can is as slow as that. ECS gives up after three tasks, of
    # which those that are unhealthy come one after the other, each after the grace period (10 s) and two looks (2 s).
    ("name", "kind", "cause", "within"),
    [
        ("roll-wide", "it crashes", r"exit(ed with)? code 1", 100),
        ("roll-tight", "its health check fails", r"unhealthy in .*Health checks failed with these codes: \[503\]", 180),
        ("roll-third", "there is no image", r"CannotPullContainerError: .*never-pushed.*", 60),
    ],
)
def test_a_bad_version_is_rolled_back_and_its_cause_named(product, bad, say, name, kind, cause, within):
    run, loads, (revision, containers) = bad
    assert run.code == 2 and run.failed == sorted(PATHS)
    failure = next(part for part in run.text.split("fatal: ")[1:] if part.startswith(f"[{name}]"))
    found = re.search(cause, failure)
    assert found, failure
    begun = product.aws("ecs").list_service_deployments(cluster=CLUSTER, service=name)["serviceDeployments"][0]["createdAt"]
    said = {each: next(at for at, line in run.said if line.startswith(f"fatal: [{each}]")) for each in PATHS}
    told = said[name] - begun.timestamp()
    say(f"{kind}: told {told:.1f} s after the deployment's start")
    assert 0 < told < within
    # As it happens, though the output is a pipe, and not all at once when the slowest has failed.
    assert name == "roll-tight" or said[name] < said["roll-tight"] - 5
    say(f"{kind} ({name}, run {run.seconds:.0f} s): {found[0]}; {loads[name]}")
    assert revision[name] in failure, "it does not say what it went back to"
    # The old version kept answering. Where nothing was replaced before the new one was healthy, by the same tasks.
    assert loads[name].failed == 0 and len(set(loads[name].versions)) == 1 and not loads[name].cut_short
    assert revisions(product)[name] == revision[name]
    kept = product.containers(name) & containers[name]
    assert len(kept) == (1 if name == "roll-tight" else 2)
    service = product.service(name)
    assert [each["rolloutState"] for each in service["deployments"]] == ["COMPLETED"]


def test_a_version_that_is_steady_but_wrong_is_taken_back_by_hand(product, say):
    before = revisions(product)["roll-third"]
    product.play(IMAGE, TASK, SERVICE, "--limit", "roll-third", image_tag="v3")
    assert get(product.listener, PATHS["roll-third"])[1]["X-Version"] == "v3"
    with Load(product.listener, PATHS["roll-third"]) as load:
        run = product.play("playbooks/rollback.yml", "--limit", "roll-third")
        until(lambda: load.versions[-1] == "v1", 10, "only the version before")
    say(f"rollback.yml: {run.seconds:.0f} s; {load}")
    assert load.failed == 0 and set(load.versions) == {"v3", "v1"} and not load.cut_short
    assert revisions(product)["roll-third"] == before and before in run.text
    again = product.play("playbooks/rollback.yml", "--limit", "roll-third")
    assert again.changed == 0, again.text


def test_a_killed_container_is_replaced(product, say):
    before = product.containers("roll-third")
    victim = sorted(before)[0]
    with Load(product.listener, PATHS["roll-third"]) as load:
        assert machine.docker("kill", victim).returncode == 0

        def replaced():
            now = product.containers("roll-third")
            fresh = now - before
            return victim not in now and len(now) == 2 and any(name in load.tasks for name in fresh)

        _, seconds = until(replaced, 15, "a task in the place of the killed one")
    say(f"replaced, and answering, after {seconds:.1f} s; {load}")
    events = " ".join(event["message"] for event in product.service("roll-third")["events"][:8])
    assert "has started 1 tasks" in events
    stopped = product.stopped("roll-third")[0]
    assert stopped["stopCode"] == "EssentialContainerExited" and stopped["containers"][0]["exitCode"] == 137
    run = product.play("playbooks/verify.yml", "--limit", f"{CLUSTER},roll-third")
    assert re.search(r"targets +roll-third +2 of 2 healthy", run.text), run.text
    ended = re.search(r"^ *ended +roll-third +(1 task ended .* exited with code 137.* replaced)$", run.text, re.MULTILINE)
    assert ended, run.text
    say(ended[1])

    run = product.play("playbooks/report.yml", "--limit", f"{CLUSTER},roll-third")
    page = (product.state / "report.html").read_text()
    assert f"by itself</span> {stopped['stoppedReason']}; roll-third-app: exit code 137</td>" in page
    assert stopped["taskArn"].rsplit("/", 1)[-1] in page
    # What was measured, as text and as lines with points: CPU and memory of the service and of the cluster.
    assert len(re.findall(r"newest [\d.]+ %", page)) == 2
    drawn = [path.count(" L ") + 1 for path in re.findall(r'<path d="(M [^"]* L [^"]*)"[^>]*stroke-width: 1\.8', page)]
    say(f"report.yml: {run.seconds:.0f} s, {len(drawn)} lines with {sum(drawn)} points")
    if importlib.util.find_spec("matplotlib"):
        assert len(drawn) >= 4 and sum(drawn) >= 4 * 3
    else:
        assert "pip install matplotlib" in page


def test_the_end_leaves_nothing(product, say):
    run = product.play("teardown.yml", teardown_confirm=True)
    assert "Nothing of ours is left" in run.text
    assert not [each for each in machine.left_in_docker(product.state, product.port) if each.startswith("container")]
    product.stop()
    say(f"teardown.yml: {run.seconds:.0f} s")
    assert machine.left_in_docker(product.state, product.port) == []
    assert machine.networks() == product.networks_before
    assert machine.images() <= product.images_before
    with pytest.raises(ConnectionRefusedError):
        get(product.listener, "/")
