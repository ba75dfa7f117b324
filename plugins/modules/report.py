#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: report
version_added: 0.1.0
short_description: Write one HTML page of what runs, how it does and what it costs
description:
  - Reads clusters and services of an account and writes a page that needs nothing but itself - the topology, endpoints
    and health, deployments, events and tasks that ended, the charts of the tutorial's section 6, the reservation arithmetic
    beside what was measured, and list prices.
  - It only reads from AWS. A call that is refused is told on the page, and the rest is there.
  - The charts need the Python package C(matplotlib). Without it the page says so and has the newest values as text.
  - Where it runs as a task, O(clusters) and O(services) come from the inventory - all hosts of the play, and the clusters
    of its services. Hosts of several regions or accounts are read one after the other and stand on the same page.
  - The file is written at each run, since it says when it was made. C(changed) is whether anything else of it differs.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  path:
    description: File to write. Without it nothing is written, and RV(seen) has what was read.
    type: path
  language:
    description: Of the page's own words. What AWS says stays as it is.
    type: str
    choices: [en, ko]
    default: en
  hours:
    description: How far back the charts go, from 0.25 to 336.
    type: float
    default: 3
  prices:
    description:
      - Prices of your own in US dollars, which go before the table's - by instance type, C(load balancer), C(public
        IPv4 address), C(Fargate vCPU) and C(Fargate GB) an hour; C(gp3 GB) (any volume type), C(alarm) (for each metric that it
        reads) and C(detailed monitoring) (of an instance) a month.
    type: dict
    default: {}
  clusters:
    description: Clusters to read.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the cluster.
        type: str
        required: true
      load_balancer:
        description: Name of its load balancer.
        type: str
      auto_scaling_group:
        description: Name of the group of its instances.
        type: str
  services:
    description: Services to read.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the service.
        type: str
        required: true
      cluster:
        description: Name of its cluster.
        type: str
        required: true
      url:
        description: Where it answers. V($host) stands for the load balancer's DNS name.
        type: str
        default: http://$host/
  also:
    description: What this module returned as RV(seen) of other accounts or regions, to stand on the same page.
    type: list
    elements: dict
    default: []
attributes:
  check_mode:
    description: It reads, and writes no file.
    support: full
  diff_mode:
    description: The page is no text to compare.
    support: none
"""

EXAMPLES = r"""
- name: Write the page
  handson.ecs.report:
    path: /tmp/report.html
    language: ko
    clusters:
      - name: petclinic-rest-cluster
        load_balancer: petclinic-rest-alb
        auto_scaling_group: petclinic-rest-ecs-instances
    services:
      - name: petclinic-rest-service
        cluster: petclinic-rest-cluster
"""

RETURN = r"""
path:
  description: The file.
  returned: when O(path) is given
  type: str
services:
  description: The services and their states, as on the page.
  returned: always
  type: list
  elements: dict
  sample: [{name: petclinic-rest-service, state: good}]
month:
  description: US dollars a month of what has a price, rounded to cents.
  returned: always
  type: float
  sample: 116.11
drawn:
  description: Whether charts could be drawn, so matplotlib is there.
  returned: always
  type: bool
measured:
  description: Whether CloudWatch had any value.
  returned: always
  type: bool
problems:
  description: The calls that were refused, and those whose answer was cut because there is too much (C(cut) is how much was read).
  returned: always
  type: list
  elements: dict
  sample: [{action: "cloudwatch:DescribeAlarms", message: "…"}]
seen:
  description: What was read.
  returned: when O(path) is not given
  type: dict
"""

import os
import tempfile
import time
from datetime import datetime, timedelta, timezone

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils.compare import chunks
from ansible_collections.handson.ecs.plugins.module_utils.ecs_clusters import ec2_instances
from ansible_collections.handson.ecs.plugins.module_utils.endpoints import is_aws
from ansible_collections.handson.ecs.plugins.module_utils.report import charts, costs, facts, series
from ansible_collections.handson.ecs.plugins.module_utils.report.page import Page, digest_of

#: Not allowed, or not there on a local endpoint.
REFUSED = (
    "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "UnauthorizedAccess", "NotImplementedException",
    "OptInRequired",
)  # fmt: skip
#: The two without which nobody knows what is there.
CLUSTERS = "ecs:DescribeClusters"
SERVICES = "ecs:DescribeServices"
#: An account may have thousands of alarms; so many pages of 100 are looked through.
ALARM_PAGES = 20


class Reading:
    """What there is, by as few calls as it takes."""

    def __init__(self, module, end):
        self.module, self.end = module, end
        self.options = module.params
        self.problems = []

    def client(self, service):
        return self.module.client(service)

    def ask(self, action, call, nothing):
        """Return what `call` returns; `nothing` and a note where it is refused."""
        try:
            return call()
        except ClientError as e:
            if e.response.get("Error", {}).get("Code") not in REFUSED:
                raise
            if action not in [p["action"] for p in self.problems]:
                self.problems.append({"action": action, "message": e.response["Error"].get("Message") or str(e)})
            return nothing

    def run(self):
        """Return all of it as the page takes it."""
        ecs = self.client("ecs")
        aws = is_aws(ecs.meta.endpoint_url)
        wanted = list({c["name"]: c for c in self.options["clusters"]}.values())
        names = [c["name"] for c in wanted]
        found = []
        for part in chunks(names, 100):
            found += self.ask(
                CLUSTERS,
                lambda part=part: ecs.describe_clusters(clusters=list(part), include=["SETTINGS"])["clusters"],
                [],
            )
        active = {c["clusterName"]: c for c in found if c["status"] == "ACTIVE"}
        clusters = [self.cluster(ecs, c, active.get(c["name"])) for c in wanted]
        arn = next((c["clusterArn"] for c in active.values()), "")
        self.machines(clusters)
        balancers = self.balancers(clusters)
        self.scaling(clusters)
        period = series.period(self.options["hours"])
        start = self.end - timedelta(hours=self.options["hours"])
        self.metrics(clusters, start, period)
        return {
            "region": ecs.meta.region_name or "",
            "account": arn.split(":")[4] if arn else "",
            "endpoint": "" if aws else ecs.meta.endpoint_url,
            "hours": self.options["hours"],
            "start": start.timestamp(),
            "end": self.end.timestamp(),
            "period": period,
            "clusters": clusters,
            "load_balancers": balancers,
            "alarms": self.alarms(clusters, balancers),
            "problems": self.problems,
        }

    # --- ECS ----------------------------------------------------------------------------------------------------------

    def cluster(self, ecs, wanted, raw):
        """Return a cluster with its instances, services and tasks."""
        name = wanted["name"]
        mine = [s for s in self.options["services"] if s["cluster"] == name]
        cluster = {
            "name": name,
            "missing": raw is None,
            "load_balancer": wanted["load_balancer"],
            "group": {"name": wanted["auto_scaling_group"]} if wanted["auto_scaling_group"] else None,
            "instances": [],
            "series": {},
            "services": [{"name": s["name"], "missing": True, "series": {}} for s in mine],
        }
        if raw is None:
            self.unread(cluster["services"], CLUSTERS)
            return cluster
        insights = {s["name"]: s["value"] for s in raw.get("settings") or []}.get("containerInsights", "disabled")
        cluster["insights"] = insights != "disabled"
        if raw.get("registeredContainerInstancesCount"):
            cluster["raw_instances"] = self.container_instances(ecs, name)
        found = []
        for part in chunks([s["name"] for s in mine], 10):
            found += self.ask(
                SERVICES,
                lambda part=part: ecs.describe_services(cluster=name, services=list(part))["services"],
                [],
            )
        self.unread(cluster["services"], SERVICES)
        there = {s["serviceName"]: s for s in found if s["status"] != "INACTIVE"}
        tasks = self.tasks(ecs, name, raw) if there else []
        sizes = self.sizes(ecs, {s["taskDefinition"] for s in there.values() if s.get("taskDefinition")})
        for index, wish in enumerate(mine):
            service = there.get(wish["name"])
            if service is None:
                continue
            group = f"service:{wish['name']}"
            told = facts.service(service, sizes, (t for t in tasks if t.get("group") == group))
            told["history"] = facts.history(
                self.ask(
                    "ecs:ListServiceDeployments",
                    lambda s=service: ecs.list_service_deployments(cluster=name, service=s["serviceName"])[
                        "serviceDeployments"
                    ],
                    [],
                )
            )
            cluster["services"][index] = {**told, "missing": False, "url": wish["url"], "series": {}}
        return cluster

    def unread(self, services, action):
        """Note of services that nobody knows whether they are there, since a call was refused."""
        if action in [p["action"] for p in self.problems]:
            for service in services:
                service["unread"] = True

    def container_instances(self, ecs, name):
        arns = self.ask(
            "ecs:ListContainerInstances",
            lambda: [
                arn
                for page in ecs.get_paginator("list_container_instances").paginate(cluster=name)
                for arn in page["containerInstanceArns"]
            ],
            [],
        )
        found = []
        for part in chunks(arns, 100):
            found += self.ask(
                "ecs:DescribeContainerInstances",
                lambda part=part: ecs.describe_container_instances(cluster=name, containerInstances=list(part))[
                    "containerInstances"
                ],
                [],
            )
        return found

    def tasks(self, ecs, name, raw):
        """Return the tasks that run, and those that ended lately: ECS forgets them after about an hour."""
        arns = []
        running = (raw.get("runningTasksCount") or 0) + (raw.get("pendingTasksCount") or 0)
        for status in (["RUNNING"] if running else []) + ["STOPPED"]:
            arns += self.ask(
                "ecs:ListTasks",
                lambda status=status: [
                    arn
                    for page in ecs.get_paginator("list_tasks").paginate(cluster=name, desiredStatus=status)
                    for arn in page["taskArns"]
                ],
                [],
            )
        found = []
        for part in chunks(arns, 100):
            found += self.ask(
                "ecs:DescribeTasks", lambda part=part: ecs.describe_tasks(cluster=name, tasks=list(part))["tasks"], []
            )
        return found

    def sizes(self, ecs, arns):
        found = {}
        for arn in sorted(arns):
            told = self.ask(
                "ecs:DescribeTaskDefinition",
                lambda arn=arn: ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"],
                None,
            )
            if told:
                found[arn] = facts.size(told)
        return found

    # --- EC2 ----------------------------------------------------------------------------------------------------------

    def machines(self, clusters):
        """Put the machines behind the container instances into the clusters, and the bounds of their groups."""
        raw = {c["name"]: c.pop("raw_instances", []) for c in clusters}
        ids = sorted({i["ec2InstanceId"] for found in raw.values() for i in found if i.get("ec2InstanceId")})
        machines, volumes = {}, {}
        if ids:
            ec2 = self.client("ec2")
            machines = self.ask(
                "ec2:DescribeInstances",
                lambda: {i["InstanceId"]: i for i in ec2_instances(ec2, ids)},
                {},
            )
            for part in chunks(ids, 200):
                attached = [{"Name": "attachment.instance-id", "Values": list(part)}]
                volumes.update(
                    self.ask(
                        "ec2:DescribeVolumes",
                        lambda attached=attached: {
                            v["VolumeId"]: {"type": v["VolumeType"], "size": v["Size"]}
                            for page in ec2.get_paginator("describe_volumes").paginate(Filters=attached)
                            for v in page["Volumes"]
                        },
                        {},
                    )
                )
        groups = {}
        names = sorted({c["group"]["name"] for c in clusters if c["group"] and not c["missing"]})
        for part in chunks(names, 100):
            autoscaling = self.client("autoscaling")
            found = self.ask(
                "autoscaling:DescribeAutoScalingGroups",
                lambda part=part: autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=list(part))[
                    "AutoScalingGroups"
                ],
                [],
            )
            groups.update({g["AutoScalingGroupName"]: g for g in found})
        for cluster in clusters:
            cluster["instances"] = [
                facts.instance(i, machines.get(i.get("ec2InstanceId")), volumes) for i in raw[cluster["name"]]
            ]
            group = groups.get((cluster["group"] or {}).get("name"))
            cluster["group"] = group and {
                "name": group["AutoScalingGroupName"],
                "low": group["MinSize"],
                "high": group["MaxSize"],
                "desired": group["DesiredCapacity"],
            }

    # --- load balancers -----------------------------------------------------------------------------------------------

    def balancers(self, clusters):
        """Return the load balancers of the clusters and services; give the services their target groups."""
        there = [c for c in clusters if not c["missing"]]
        services = [s for c in there for s in c["services"] if not s["missing"]] if there else []
        arns = sorted({arn for s in services for arn in s["target_group_arns"]})
        names = {c["load_balancer"] for c in clusters if c["load_balancer"]}
        if not (arns or names):
            return []
        elbv2 = self.client("elbv2")
        groups = []
        for part in chunks(arns, 100):
            groups += self.ask(
                "elasticloadbalancing:DescribeTargetGroups",
                lambda part=part: [
                    g
                    for page in elbv2.get_paginator("describe_target_groups").paginate(TargetGroupArns=list(part))
                    for g in page["TargetGroups"]
                ],
                [],
            )
        reached = {arn for g in groups for arn in g.get("LoadBalancerArns") or []}
        # All of the account: by names one that isn't there would fail the call for the others.
        every = self.ask(
            "elasticloadbalancing:DescribeLoadBalancers",
            lambda: [
                b for page in elbv2.get_paginator("describe_load_balancers").paginate() for b in page["LoadBalancers"]
            ],
            [],
        )
        mine = [b for b in every if b["LoadBalancerName"] in names or b["LoadBalancerArn"] in reached]
        found = [facts.load_balancer(b) for b in sorted(mine, key=lambda b: b["LoadBalancerName"])]
        for balancer in found:
            balancer["listeners"] = self.listeners(elbv2, balancer["arn"])
        told = {}
        for group in groups:
            health = self.ask(
                "elasticloadbalancing:DescribeTargetHealth",
                lambda group=group: elbv2.describe_target_health(TargetGroupArn=group["TargetGroupArn"])[
                    "TargetHealthDescriptions"
                ],
                [],
            )
            told[group["TargetGroupArn"]] = facts.target_group(group, health, found)
        for service in services:
            service["target_groups"] = [told[arn] for arn in service.pop("target_group_arns") if arn in told]
        return found

    def listeners(self, elbv2, arn):
        found = []
        listeners = self.ask(
            "elasticloadbalancing:DescribeListeners",
            lambda: elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"],
            [],
        )
        for listener in sorted(listeners, key=lambda each: each.get("Port") or 0):
            rules = self.ask(
                "elasticloadbalancing:DescribeRules",
                lambda listener=listener: elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"],
                [],
            )
            told = [facts.rule(r) for r in rules]
            found.append({"protocol": listener.get("Protocol"), "port": listener.get("Port"), "rules": told})
        return found

    # --- scaling, alarms, metrics -------------------------------------------------------------------------------------

    def scaling(self, clusters):
        """Give the services what their scaler may do."""
        ids = {
            f"service/{c['name']}/{s['name']}": s for c in clusters for s in c["services"] if not s["missing"]
        }
        if not ids:
            return
        scaler = self.client("application-autoscaling")
        targets = []
        for part in chunks(sorted(ids), 50):
            targets += self.ask(
                "application-autoscaling:DescribeScalableTargets",
                lambda part=part: scaler.describe_scalable_targets(ServiceNamespace="ecs", ResourceIds=list(part))[
                    "ScalableTargets"
                ],
                [],
            )
        for target in targets:
            ids[target["ResourceId"]]["scaling"] = {
                "low": target["MinCapacity"],
                "high": target["MaxCapacity"],
                "targets": [],
            }
        if not targets:
            return
        policies = self.ask(
            "application-autoscaling:DescribeScalingPolicies",
            lambda: [
                p
                for page in scaler.get_paginator("describe_scaling_policies").paginate(ServiceNamespace="ecs")
                for p in page["ScalingPolicies"]
            ],
            [],
        )
        for policy in policies:
            tracking = policy.get("TargetTrackingScalingPolicyConfiguration")
            scaled = ids.get(policy["ResourceId"], {}).get("scaling")
            if not tracking or scaled is None:
                continue
            scaled["targets"].append(facts.target(tracking))

    def alarms(self, clusters, balancers):
        """Return the alarms of what is read, whoever made them."""
        there = [c for c in clusters if not c["missing"]]
        if not there:
            return []
        mine = {("ClusterName", c["name"]) for c in there}
        mine |= {("AutoScalingGroupName", c["group"]["name"]) for c in there if c["group"]}
        mine |= {("LoadBalancer", b["metric"]) for b in balancers}
        # The role monitoring names its alarms so. They may read a metric that says nothing of a cluster: lines of a log, a
        # queue.
        prefixes = tuple(f"{one['name']}/" for c in there for one in (c, *c["services"]))
        cloudwatch = self.client("cloudwatch")

        def read():
            pages = cloudwatch.get_paginator("describe_alarms").paginate(
                AlarmTypes=["MetricAlarm"], PaginationConfig={"MaxItems": 100 * ALARM_PAGES, "PageSize": 100}
            )
            found = [a for page in pages for a in page["MetricAlarms"]]
            if pages.resume_token:
                message = f"Only the first {len(found)} alarms of the account were looked through."
                self.problems.append({"action": "cloudwatch:DescribeAlarms", "message": message, "cut": len(found)})
            return found

        found = self.ask("cloudwatch:DescribeAlarms", read, [])
        return [facts.alarm(a) for a in found if facts.belongs(a, mine, prefixes)]

    def metrics(self, clusters, start, period):
        """Give clusters and services their series."""
        wanted, owners = [], {}
        for c, cluster in enumerate(clusters):
            if cluster["missing"]:
                continue
            specs = [(f"c{c}_{spec[0]}", spec, cluster) for spec in series.of_cluster(cluster)]
            for s, service in enumerate(cluster["services"]):
                if not service["missing"]:
                    specs += [(f"c{c}_s{s}_{spec[0]}", spec, service) for spec in series.of_service(cluster, service)]
            for identifier, spec, owner in specs:
                wanted.append((identifier, spec))
                owners[identifier] = (owner, spec[0])
        queries = [query for _identifier, query in series.queries(wanted, period)]
        cloudwatch = self.client("cloudwatch") if queries else None
        for part in chunks(queries, series.AT_ONCE):
            self.series_of(cloudwatch, list(part), start, owners)

    def series_of(self, cloudwatch, queries, start, owners):
        asked = {"MetricDataQueries": queries, "StartTime": start, "EndTime": self.end, "ScanBy": "TimestampAscending"}
        while True:
            answer = self.ask("cloudwatch:GetMetricData", lambda: cloudwatch.get_metric_data(**asked), {})
            for result in answer.get("MetricDataResults") or []:
                owner, key = owners[result["Id"]]
                points = series.points(result)
                if points:
                    owner["series"][key] = owner["series"].get(key, []) + points
            if not answer.get("NextToken"):
                return
            asked["NextToken"] = answer["NextToken"]


def write(path, text):
    """Put the text in place at once. A new file is for its owner alone: it tells addresses and what fails."""
    mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else 0o600
    folder = os.path.dirname(os.path.abspath(path))
    os.makedirs(folder, mode=0o700, exist_ok=True)
    handle, beside = tempfile.mkstemp(prefix=".report-", dir=folder)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as f:
            f.write(text)
        os.chmod(beside, mode)
        os.replace(beside, path)
    except OSError:
        os.unlink(beside)
        raise


def main():
    cluster = {
        "name": {"type": "str", "required": True},
        "load_balancer": {"type": "str"},
        "auto_scaling_group": {"type": "str"},
    }
    service = {
        "name": {"type": "str", "required": True},
        "cluster": {"type": "str", "required": True},
        "url": {"type": "str", "default": "http://$host/"},
    }
    module = AnsibleAWSModule(
        argument_spec={
            "path": {"type": "path"},
            "language": {"type": "str", "choices": ["en", "ko"], "default": "en"},
            "hours": {"type": "float", "default": 3},
            "prices": {"type": "dict", "default": {}},
            "clusters": {"type": "list", "elements": "dict", "default": [], "options": cluster},
            "services": {"type": "list", "elements": "dict", "default": [], "options": service},
            "also": {"type": "list", "elements": "dict", "default": []},
        },
        supports_check_mode=True,
    )
    options = module.params
    if not 0.25 <= options["hours"] <= 336:
        module.fail_json(msg=f"report_hours is {options['hours']:g}; it is from 0.25 to 336 (14 days).")
    for what, price in options["prices"].items():
        try:
            float(price)
        except (TypeError, ValueError):
            module.fail_json(msg=f"report_prices has {price!r} for {what!r}; a price is a number of US dollars.")
    now = datetime.now(timezone.utc)
    seconds = series.period(options["hours"])
    end = datetime.fromtimestamp(time.time() // seconds * seconds + seconds, timezone.utc)
    reading = Reading(module, end)
    try:
        seen = reading.run()
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg="Could not read what the report shows")
    every = [*options["also"], seen]
    page = Page(every, options["language"], now.astimezone(), options["prices"])
    result = {
        "changed": False,
        "services": [{"name": s["name"], "state": facts.state_of(s)} for _one, _cluster, s in page.services()],
        "month": round(
            sum(costs.total(costs.items(costs.amounts(o), o["region"], options["prices"])) for o in every), 2
        ),
        "drawn": charts.available(),
        "measured": any(x["series"] for o in every for c in o["clusters"] for x in (c, *c["services"])),
        "problems": [p for o in every for p in o["problems"]],
    }
    if not options["path"]:
        module.exit_json(**result, seen=seen)
    text = page.html()
    path = os.path.expanduser(options["path"])
    try:
        before = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8", errors="replace") as f:
                before = f.read(4000)
        if not module.check_mode:
            write(path, text)
    except OSError as e:
        remedy = "Set report_path to a file in a folder that you may write to."
        module.fail_json(msg=f"Could not write {path}: {e}. {remedy}")
    module.exit_json(**{**result, "changed": digest_of(before) != digest_of(text), "path": path})


if __name__ == "__main__":
    main()
