# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""CloudWatch's values of AWS/ECS and AWS/ApplicationELB, measured: what the containers use, what the listeners saw.

As AWS does, containers are looked at every 20 seconds and each value stands at the beginning of its minute:
https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service_utilization.html
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
Unlike there, a minute can be seen before it is over. What wasn't measured has no value. Nobody evaluates alarms here,
so nothing scales. Used is what this machine's processors did, registered what the recorded instances would have.
"""

import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from embedded_endpoint.gaps.patching import LOCK
from moto.cloudwatch.models import MetricAggregatedDatum, MetricDatum, MetricDatumBase, cloudwatch_backends
from moto.core.common_models import CloudWatchMetricProvider
from moto.ecs.models import ecs_backends
from moto.elbv2 import elbv2_backends

from container_endpoint import engine, health, traffic
from container_endpoint.trouble import Trouble

INTERVAL = min(max(float(os.environ.get("HANDSON_METRICS_INTERVAL") or 20), 1), 60)  # seconds between two looks
KEPT = 3 * 60 * 60  # seconds; CloudWatch keeps values of less than a minute as long, those of a minute for 15 days
SHORTEST = 0.1  # seconds: what a container used in less says nothing
_MEASURED = "measured"  # attribute of moto's backend, so that a reset forgets it too

Key = tuple[str, str, tuple[tuple[str, str], ...]]  # namespace, metric, dimensions


@dataclass(frozen=True)
class Use:
    """What a container had used at a moment: processor seconds since its start, and MiB."""

    at: float
    cpu: float
    memory: float


def use(stats: dict[str, Any], at: float) -> Use | None:
    """Docker's statistics of a container in short; None where it doesn't run any more.

    Memory is without the pages of files that the kernel may drop, as the docker command counts it.
    """
    cpu = (stats.get("cpu_stats") or {}).get("cpu_usage", {}).get("total_usage")
    memory = stats.get("memory_stats") or {}
    if not cpu or "usage" not in memory:
        return None
    details = memory.get("stats") or {}
    droppable = details.get("total_inactive_file", details.get("inactive_file", 0))  # cgroup v1, v2
    return Use(at, cpu / 1e9, max(memory["usage"] - droppable, 0) / 2**20)


def _use(found: engine.Engine, container_id: str) -> Use | None:
    import docker.errors
    import requests

    try:
        return use(found.client.api.stats(container_id, stream=False, one_shot=True), time.time())
    except (docker.errors.DockerException, requests.RequestException):
        return None  # it ended meanwhile, or the engine is too busy, or too old, to tell


class Values:
    """The values of one minute."""

    def __init__(self, minute: int):
        self.at = datetime.fromtimestamp(minute, UTC).replace(tzinfo=None)
        self.data: list[MetricDatumBase] = []

    def add(self, key: Key, unit: str, values: Iterable[float]) -> None:
        """A value for each thing that was measured."""
        namespace, name, dimensions = key
        named = [{"Name": k, "Value": v} for k, v in dimensions]
        self.data += [MetricDatum(namespace, name, value, named, self.at, unit) for value in values]

    def count(self, key: Key, number: int) -> None:
        """A number of things, each a sample of 1, as ELB counts requests."""
        if number:
            self.spread(key, "Count", Counter({1.0: number}))

    def spread(self, key: Key, unit: str, counts: Counter[float]) -> None:
        """Many samples, as how often each value was there."""
        if not counts:
            return
        namespace, name, dimensions = key
        datum = MetricAggregatedDatum(
            namespace,
            name,
            min(counts),
            max(counts),
            counts.total(),
            sum(value * number for value, number in counts.items()),
            [{"Name": k, "Value": v} for k, v in dimensions],
            self.at,
            unit,
        )
        datum.counts = counts  # for percentiles: gaps/cloudwatch_statistics.py
        self.data.append(datum)


class Meter:
    """Looks at the containers, and knows what the minute has brought so far."""

    def __init__(self) -> None:
        self.minute = 0
        self.before: dict[str, Use] = {}  # container id -> its last look of the minute before
        self.last: dict[str, Use] = {}
        self.memory: dict[str, list[float]] = defaultdict(list)
        self.gauges: dict[Key, list[float]] = defaultdict(list)

    def begin(self, minute: int) -> None:
        """Start a new minute, unless it is the one that is under way."""
        if minute != self.minute:
            self.minute, self.before = minute, self.last
            self.memory.clear()
            self.gauges.clear()

    def note(self, container: dict[str, Any], seen: Use | None) -> tuple[float, float] | None:
        """(CPU units, MiB) that a container used in this minute, None where that isn't known."""
        if seen is None:
            return None
        self.memory[container["Id"]].append(seen.memory)
        start = self.before.get(container["Id"]) or Use(float(container["Created"]), 0.0, 0.0)
        if seen.at - start.at < SHORTEST:
            return None
        samples = self.memory[container["Id"]]
        return (seen.cpu - start.cpu) / (seen.at - start.at) * 1024, sum(samples) / len(samples)

    def look(self, found: engine.Engine, due: float) -> None:
        """Look at everything once, for the minute that holds the moment before `due` (seconds since 1970)."""
        self.begin(int((due - 0.001) // 60 * 60))
        used: dict[str, list[tuple[float, float] | None]] = defaultdict(list)  # task ARN -> of its containers
        seen = {}
        for container in found.ours():
            if container["State"] == "running":
                one = _use(found, container["Id"])
                if one is not None:
                    seen[container["Id"]] = one
                used[container["Labels"][engine.TASK]].append(self.note(container, one))
        self.last = seen
        whole = {
            arn: (sum(each[0] for each in uses), sum(each[1] for each in uses))  # type: ignore[index]
            for arn, uses in used.items()
            if None not in uses
        }
        tallies = traffic.until(self.minute)
        with LOCK:
            for account, regions in list(ecs_backends.items()):
                for region, backend in list(regions.items()):
                    balancers = elbv2_backends[account][region]
                    _keep(account, region, self.minute, [*_of_ecs(self, backend, whole), *_of_health(self, balancers)])
                    _keep_traffic(account, region, balancers, tallies)

    def gauge(self, key: Key, value: float) -> tuple[Key, list[float]]:
        """Note a value that is looked at again and again; all of this minute."""
        self.gauges[key].append(value)
        return key, self.gauges[key]


def _of_ecs(meter: Meter, backend, used: dict[str, tuple[float, float]]) -> Iterable[tuple[Key, list[float], str]]:
    for name, cluster in list(backend.clusters.items()):
        tasks = [task for task in backend.tasks.get(name, {}).values() if task.status == "RUNNING"]
        if not tasks:
            continue  # AWS has no values of what runs nothing
        of_cluster = (("ClusterName", cluster.name),)
        registered = _registered(backend.container_instances.get(name, {}).values())
        services = defaultdict(list)
        for task in tasks:
            if (task.group or "").startswith("service:"):
                services[task.group.removeprefix("service:")].append(task)
        for place, (kind, label) in enumerate((("CPU", "CPU"), ("MEMORY", "Memory"))):
            if registered[kind]:
                reserved = sum((task.resource_requirements or {}).get(kind, 0) for task in tasks)
                key = ("AWS/ECS", f"{label}Reservation", of_cluster)
                yield (*meter.gauge(key, reserved / registered[kind] * 100), "Percent")
                known = [used[task.task_arn][place] for task in tasks if task.task_arn in used]
                if known:
                    yield ("AWS/ECS", f"{label}Utilization", of_cluster), [sum(known) / registered[kind] * 100], "Percent"
            for service, members in services.items():
                # A sample a task, so that Minimum and Maximum are those of the least and the most busy one.
                values = [
                    used[task.task_arn][place] / task.resource_requirements[kind] * 100
                    for task in members
                    if task.task_arn in used and (task.resource_requirements or {}).get(kind)
                ]
                yield ("AWS/ECS", f"{label}Utilization", (*of_cluster, ("ServiceName", service))), values, "Percent"


def _registered(instances: Iterable[Any]) -> dict[str, int]:
    total = {"CPU": 0, "MEMORY": 0}
    for instance in instances:
        if instance.status in ("ACTIVE", "DRAINING"):
            for resource in instance.registered_resources:
                if resource["name"] in total:
                    total[resource["name"]] += resource["integerValue"]
    return total


def _of_health(meter: Meter, backend) -> Iterable[tuple[Key, list[float], str]]:
    for balancer in list(backend.load_balancers.values()):
        for arn in sorted(_behind(balancer) & set(backend.target_groups)):
            states = _states(backend.target_groups[arn])
            for metric, state in (("HealthyHostCount", health.HEALTHY), ("UnHealthyHostCount", health.UNHEALTHY)):
                key = ("AWS/ApplicationELB", metric, dimensions(balancer.arn, arn))
                yield (*meter.gauge(key, float(states[state])), "Count")


def _behind(balancer) -> set[str]:
    """The ARNs of the target groups to which a load balancer's rules lead."""
    found = set()
    for listener in list(balancer.listeners.values()):
        for action in [action.data for rule in list(listener.rules.values()) for action in rule.actions]:
            found.add(action.get("TargetGroupArn"))
            found |= {each["TargetGroupArn"] for each in (action.get("ForwardConfig") or {}).get("TargetGroups") or []}
    return found - {None}


def _states(group) -> Counter[str]:
    return Counter(health.state(group, target) for target in list(group.targets.values()))


def dimensions(balancer: str, group: str | None) -> tuple[tuple[str, str], ...]:
    """The dimensions of a load balancer, or of a target group behind it, from their ARNs."""
    found = (("LoadBalancer", balancer.rpartition(":loadbalancer/")[2]),)
    return found if group is None else (("TargetGroup", group.rpartition(":")[2]), *found)


def _keep(account: str, region: str, minute: int, found: Iterable[tuple[Key, list[float], str]]) -> None:
    values = Values(minute)
    for key, samples, unit in found:
        values.add(key, unit, samples)
    _put(account, region, ("looks", minute), values)


def _keep_traffic(account: str, region: str, balancers, tallies) -> None:
    for minute, found in tallies.items():
        values = Values(minute)
        for (balancer, group), tally in found.items():
            if balancer not in balancers.load_balancers:
                continue
            named = dimensions(balancer, group)

            def key(metric: str, named=named) -> Key:
                return "AWS/ApplicationELB", metric, named

            values.count(key("RequestCount"), tally.requests)
            for codes, number in tally.codes.items():
                values.count(key(f"HTTPCode_Target_{codes}_Count"), number)
            for codes, number in tally.failures.items():
                values.count(key(f"HTTPCode_ELB_{codes}_Count"), number)
            values.spread(key("TargetResponseTime"), "Seconds", tally.seconds)
            if group in balancers.target_groups and (healthy := _states(balancers.target_groups[group])[health.HEALTHY]):
                values.add(key("RequestCountPerTarget"), "Count", [tally.requests / healthy])
        _put(account, region, ("traffic", minute), values)


def _put(account: str, region: str, key: tuple[str, int], values: Values) -> None:
    backend = cloudwatch_backends[account][region]
    known = vars(backend).setdefault(_MEASURED, {})
    if values.data:
        known[key] = values.data
    for old in [each for each in known if each[1] < time.time() - KEPT]:
        del known[old]


class Measured(CloudWatchMetricProvider):
    """Where moto asks for the values of AWS's own metrics."""

    @staticmethod
    def get_cloudwatch_metrics(account_id: str, region: str) -> list[MetricDatumBase]:
        """All that is kept."""
        known = vars(cloudwatch_backends[account_id][region]).get(_MEASURED, {})
        return [datum for data in list(known.values()) for datum in data]


def start(found: engine.Engine, stop: threading.Event) -> None:
    """Measure until `stop` is set."""
    threading.Thread(target=_run, args=(found, stop), daemon=True, name="metrics").start()


def _run(found: engine.Engine, stop: threading.Event) -> None:
    meter, trouble = Meter(), Trouble("metrics")
    while True:
        due = (time.time() // INTERVAL + 1) * INTERVAL
        if stop.wait(max(due - time.time(), 0)):
            return
        try:
            meter.look(found, due)
            trouble.over()
        except Exception as error:  # one look that failed has no values; the next one has
            trouble.met(error, trace=not isinstance(error, engine.silence()))
