#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: ecs_service_load
version_added: 0.1.0
short_description: Put load on a service, and see what the scaler does
description:
  - Lets ApacheBench (C(ab)) ask one path of a service through its load balancer, a bounded number of times and for a
    bounded time. Shows how far it is and how many tasks and instances there are, and then what the scalers did.
  - There is no option for a URL. The load goes to the load balancer with the given name, and only where load balancer,
    target group and service carry the owners' tags and the listener's rules give the path to that target group.
  - Nothing answers behind an endpoint that keeps records only. That is an error which says so.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
requirements:
  - ab (apache2-utils or httpd-tools)
attributes:
  check_mode:
    description: Looks whether it may, says what it would send, and sends nothing.
    support: full
options:
  cluster:
    description: Name of the cluster.
    type: str
    required: true
  service:
    description: Name of the service.
    type: str
    required: true
  owner:
    description: Tags that the service and its target group must carry.
    type: dict
    required: true
  load_balancer:
    description: Name of the load balancer.
    type: str
    required: true
  load_balancer_owner:
    description: Tags that the load balancer must carry.
    type: dict
    required: true
  target_group:
    description: Name of the target group.
    type: str
    required: true
  scheme:
    description: How to speak to the load balancer.
    type: str
    choices: [http, https]
    default: http
  port:
    description: Port of the listener.
    type: int
    default: 80
  host:
    description: Name for the Host header. The connection goes to the load balancer's own DNS name anyway.
    type: str
  path:
    description: What to ask, with its query.
    type: str
    default: /test/stress
  requests:
    description: How many requests to send at most.
    type: int
    default: 10000
  concurrency:
    description: How many of them at a time.
    type: int
    default: 5
  seconds:
    description: For how long at most.
    type: int
    default: 600
  watch:
    description:
      - Seconds to go on watching after the load.
      - Not on a local endpoint, which evaluates no alarms, so that nothing scales there.
    type: int
    default: 180
  interval:
    description: Seconds between two looks.
    type: float
    default: 5
  auto_scaling_group:
    description: Name of the Auto Scaling group whose scaling activities are told, too.
    type: str
  confirm:
    description: Must be V(true) anywhere but on a local endpoint. Load costs money, and so does what it lets grow.
    type: bool
    default: false
  progress_file:
    description: File to append progress to. The action plugin sets it and shows the lines.
    type: path
"""

EXAMPLES = r"""
- name: Put the tutorial's load on the service
  handson.ecs.ecs_service_load:
    cluster: petclinic-rest-cluster
    service: petclinic-rest-service
    owner: {"handson:service": petclinic-rest-service}
    load_balancer: petclinic-rest-alb
    load_balancer_owner: {"handson:cluster": petclinic-rest-cluster}
    target_group: petclinic-rest-target
    confirm: true
"""

RETURN = r"""
load:
  description:
    - What was sent and what came of it. Of each status how many answers had it, and how many had none.
    - In check mode only where it would go.
  returned: success
  type: dict
  sample:
    url: http://petclinic-rest-alb-1.ap-southeast-1.elb.amazonaws.com/test/stress
    requests: 10000
    statuses: {"200": 10000}
    unanswered: 0
    seconds: 512.4
    requests_per_second: 19.5
    milliseconds: {"50": 240, "90": 410, "99": 900}
before:
  description: Counts before the load.
  returned: success
  type: dict
  sample: {desired: 2, running: 2, instances: 2}
after:
  description: Counts at the end.
  returned: when it was sent
  type: dict
  sample: {desired: 8, running: 8, instances: 2}
most:
  description: The greatest counts that were seen.
  returned: when it was sent
  type: dict
  sample: {desired: 8, running: 8, instances: 2}
activities:
  description: What the scalers of the service and of the instances did since the load began, oldest first.
  returned: when it was sent
  type: list
  elements: dict
  sample: [{at: "2026-11-22T10:04:10+00:00", what: service, description: Setting desired count to 4., why: …, status: Successful}]
cpu:
  description: CPU utilization of the service by minute, as far as CloudWatch has it.
  returned: when it was sent
  type: list
  elements: dict
  sample: [{at: "2026-11-22T10:04:00+00:00", average: 61.5, maximum: 64.0}]
notes:
  description: What is worth knowing about it.
  returned: success
  type: list
  elements: str
"""

import os
import pty
import shutil
import subprocess
import threading
import time
from datetime import datetime, timedelta, timezone

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import names, service_load
from ansible_collections.handson.ecs.plugins.module_utils.compare import tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import Missing, ResourceError

#: Seconds beyond its own limits after which ab is ended.
GRACE = service_load.ANSWER + 10
DENIED = ("AccessDeniedException", "AccessDenied")


class Generator:
    """A running ab. It writes to a terminal of its own, since it would hold lines back from a pipe."""

    def __init__(self, command):
        self.output, self.begun = service_load.Output(), time.monotonic()
        self._terminal, slave = pty.openpty()
        try:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=slave, stderr=slave)
        finally:
            os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        rest = b""
        while True:
            try:
                data = os.read(self._terminal, 65536)
            except OSError:  # Linux, when the other end is closed
                data = b""
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self.output.read(line.decode(errors="replace").rstrip("\r"))
            if not data:
                return

    def wait(self, seconds):
        """Return whether it ended, or is of no use any more, within so many seconds."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.process.wait(0.1)
                return True
            except subprocess.TimeoutExpired:
                if self.output.hopeless:
                    return True
        return False

    def end(self):
        """End it, if it still runs."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self._reader.join(10)
        os.close(self._terminal)


class Load:
    """Load on one service."""

    def __init__(self, module):
        self.module, self.p = module, module.params
        self.progress = Progress(self.p["progress_file"])
        self.ecs, self.elbv2 = module.client("ecs"), module.client("elbv2")
        self.local = service_load.is_local(self.ecs.meta.endpoint_url)
        self.notes = []
        self.most = {}

    def result(self):
        p = self.p
        before = self._service_of_ours()
        url, host = self._url()
        program = shutil.which("ab")
        if not program:
            raise ResourceError(service_load.NO_GENERATOR)
        what = f"{p['requests']} requests to {url}, {p['concurrency']} at a time, for at most {p['seconds']} s"
        if self.module.check_mode:
            self.progress.say(f"would send {what}")
            return {"load": {"url": url}, "before": before, "notes": [f"Check mode: it would send {what}."]}
        if not (self.local or p["confirm"]):
            raise ResourceError(
                f"This would send {what}. Load costs money on a real account, and so do the tasks and instances that come "
                "because of it. Say that you want it: -e stress_confirm=true (service_stress_confirm)."
            )
        self.progress.say(f"sends {what}; {service_load.said_counts(before)}")
        started = datetime.now(timezone.utc)
        load = self._send(service_load.ab(program, url, p["requests"], p["concurrency"], p["seconds"], host))
        if not self.local:
            self._watch(p["watch"])
        activities = self._activities(started)
        for found in activities:
            self.progress.say(service_load.said_activity(found))
        if self.local:
            self.notes.append("The local endpoint measures, but evaluates no alarms: nothing scales by itself here.")
        elif not activities:
            self.notes.append(
                "No scaler did anything. An alarm needs three minutes above its target: give it more time "
                "(service_stress_seconds, service_stress_watch), or more load."
            )
        return {
            "load": {"url": url, **load},
            "before": before,
            "after": self._counts(),
            "most": self.most,
            "activities": activities,
            "cpu": self._cpu(started),
            "notes": self.notes,
        }

    # --- may it?

    def _service_of_ours(self):
        p, found = self.p, []
        try:
            found = self.ecs.describe_services(cluster=p["cluster"], services=[p["service"]], include=["TAGS"])["services"]
        except is_boto3_error_code("ClusterNotFoundException"):
            pass
        found = [s for s in found if s["status"] == "ACTIVE"]
        if not found:
            raise Missing(
                f"There is no service {p['service']!r} in the cluster {p['cluster']!r}. Make it first: ansible-playbook "
                "playbooks/service.yml"
            )
        self._ours("service", p["service"], tags_to_dict(found[0].get("tags")), p["owner"])
        return self._counts(found[0])

    def _url(self):
        """Return (URL, Host header or None). Raises ResourceError where anything on the way isn't ours."""
        p = self.p
        path = service_load.checked_path(p["path"])
        balancer = names.load_balancer(self.elbv2, p["load_balancer"])
        host = service_load.checked_host(balancer["DNSName"], self.local, p["load_balancer"])
        group = names.target_group_arn(self.elbv2, p["target_group"])
        described = self.elbv2.describe_tags(ResourceArns=[balancer["LoadBalancerArn"], group])["TagDescriptions"]
        tags = {d["ResourceArn"]: tags_to_dict(d["Tags"]) for d in described}
        self._ours("load balancer", p["load_balancer"], tags.get(balancer["LoadBalancerArn"], {}), p["load_balancer_owner"])
        self._ours("target group", p["target_group"], tags.get(group, {}), p["owner"])

        found = self.elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
        listener = next((x for x in found if (x["Port"], x["Protocol"]) == (p["port"], p["scheme"].upper())), None)
        if listener is None:
            raise Missing(f"The load balancer {p['load_balancer']!r} has no {p['scheme'].upper()} listener on port {p['port']}.")
        asked = p["host"] or balancer["DNSName"]
        rules = self.elbv2.describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
        led_to = service_load.forwards_to(service_load.rule_for(rules, path, asked))
        if group not in led_to:
            others = ", ".join(sorted(a.split("/")[1] for a in led_to)) or "no target group"
            raise ResourceError(
                f"{path} does not come to this service: asked of {asked}, the listener's rules give it to {others}. Set "
                f"service_stress_path to a path that comes to the target group {p['target_group']!r}, or, where its rule "
                "selects by the host's name (target_group_rule_hosts), verify_host to one of those names."
            )
        port = "" if (p["scheme"], p["port"]) in (("http", 80), ("https", 443)) else f":{p['port']}"
        return f"{p['scheme']}://{host}{port}{path}", p["host"]

    @staticmethod
    def _ours(kind, name, tags, owner):
        if not owner:
            raise ResourceError(f"Whose the {kind} {name!r} must be is not said, so no load is put on it: give the owner's tags.")
        names.refuse_foreign_parent(kind, name, tags, owner)

    # --- sending and watching

    def _send(self, command):
        p, generator = self.p, Generator(command)
        try:
            deadline, told = generator.begun + p["seconds"] + GRACE, 0
            while not generator.wait(p["interval"]):
                now, answered = time.monotonic(), generator.output.answered
                rate = (answered - told) / p["interval"]
                self.progress.say(
                    f"{now - generator.begun:4.0f} s: {answered} of {p['requests']} requests, {rate:.1f} a second, "
                    f"{service_load.said_statuses(generator.output.statuses)}; {service_load.said_counts(self._counts())}"
                )
                told = answered
                if now > deadline:
                    self.notes.append(f"ab went on beyond its {p['seconds']} s and was ended.")
                    break
        finally:
            generator.end()
        output, code = generator.output, generator.process.returncode
        load = output.result(time.monotonic() - generator.begun)
        if not any(status.startswith("2") for status in load["statuses"]):
            said = "; ".join(output.trouble) or service_load.said_statuses(load["statuses"])
            raise ResourceError(
                f"No request to {command[-1]} was answered well: {said} (ab ended with code {code}). Set service_stress_path to "
                "a path that the service has, or to nothing for a service that is to get no load."
            )
        if code:
            self.notes.append(f"ab ended early, with code {code}: {'; '.join(output.trouble) or 'it did not say why'}")
        if load["requests"] < p["requests"]:
            self.notes.append(
                f"{load['requests']} of {p['requests']} requests in {load['seconds']:.0f} s: the time was up "
                "(service_stress_seconds)."
            )
        self.progress.say(
            f"{load['requests']} requests in {load['seconds']:.1f} s, {load['requests_per_second']:.1f} a second, "
            f"{service_load.said_statuses(load['statuses'])}"
        )
        return load

    def _watch(self, seconds):
        """Tell of the counts when they change."""
        deadline, told = time.monotonic() + seconds, None
        while True:
            counts = self._counts()
            if counts != told:
                self.progress.say(f"after the load: {service_load.said_counts(counts)}")
            told, left = counts, deadline - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(self.p["interval"], left))

    def _counts(self, service=None):
        p = self.p
        if service is None:
            service = self.ecs.describe_services(cluster=p["cluster"], services=[p["service"]])["services"][0]
        cluster = self.ecs.describe_clusters(clusters=[p["cluster"]])["clusters"][0]
        counts = {
            "desired": service["desiredCount"],
            "running": service["runningCount"],
            "instances": cluster["registeredContainerInstancesCount"],
        }
        self.most = {k: max(v, self.most.get(k, 0)) for k, v in counts.items()}
        return counts

    def _activities(self, since):
        """Return what the scalers did, oldest first. What may not be read is a note, and no reason to fail."""
        p, found = self.p, []
        try:
            page = self.module.client("application-autoscaling").describe_scaling_activities(
                ServiceNamespace="ecs",
                ResourceId=f"service/{p['cluster']}/{p['service']}",
                ScalableDimension="ecs:service:DesiredCount",
                IncludeNotScaledActivities=True,
                MaxResults=50,
            )
            found += [service_load.activity(a, "service") for a in page["ScalingActivities"] if a["StartTime"] >= since]
            if p["auto_scaling_group"]:
                page = self.module.client("autoscaling").describe_scaling_activities(
                    AutoScalingGroupName=p["auto_scaling_group"], MaxRecords=50
                )
                found += [service_load.activity(a, "instances") for a in page["Activities"] if a["StartTime"] >= since]
        except is_boto3_error_code("ValidationError"):
            pass  # there is no such group, as on Fargate
        except is_boto3_error_code(DENIED) as e:
            self.notes.append(f"What the scalers did could not be read: {e}")
        return sorted(found, key=lambda a: a["at"])

    def _cpu(self, since):
        """Return the service's CPU utilization by minute. One call."""
        p = self.p
        metric = {
            "Namespace": "AWS/ECS",
            "MetricName": "CPUUtilization",
            "Dimensions": [{"Name": "ClusterName", "Value": p["cluster"]}, {"Name": "ServiceName", "Value": p["service"]}],
        }
        queries = [
            {"Id": stat.lower(), "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}} for stat in ("Average", "Maximum")
        ]
        try:
            results = self.module.client("cloudwatch").get_metric_data(
                MetricDataQueries=queries,
                StartTime=since.replace(second=0, microsecond=0),
                EndTime=datetime.now(timezone.utc) + timedelta(seconds=1),
                ScanBy="TimestampAscending",
            )["MetricDataResults"]
        except is_boto3_error_code(DENIED) as e:
            self.notes.append(f"The CPU utilization could not be read: {e}")
            return []
        rows = {}
        for result in results:
            for at, value in zip(result["Timestamps"], result["Values"]):
                rows.setdefault(at, {})[result["Id"]] = round(value, 1)
        return [{"at": at.isoformat(), **rows[at]} for at in sorted(rows)]


def main():
    module = AnsibleAWSModule(
        argument_spec={
            "cluster": {"type": "str", "required": True},
            "service": {"type": "str", "required": True},
            "owner": {"type": "dict", "required": True},
            "load_balancer": {"type": "str", "required": True},
            "load_balancer_owner": {"type": "dict", "required": True},
            "target_group": {"type": "str", "required": True},
            "scheme": {"type": "str", "choices": ["http", "https"], "default": "http"},
            "port": {"type": "int", "default": 80},
            "host": {"type": "str"},
            "path": {"type": "str", "default": "/test/stress"},
            "requests": {"type": "int", "default": 10000},
            "concurrency": {"type": "int", "default": 5},
            "seconds": {"type": "int", "default": 600},
            "watch": {"type": "int", "default": 180},
            "interval": {"type": "float", "default": 5},
            "auto_scaling_group": {"type": "str"},
            "confirm": {"type": "bool", "default": False},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    p = module.params
    for option, least, most in (("requests", 1, 1_000_000), ("concurrency", 1, 1000), ("seconds", 1, 7200), ("watch", 0, 7200)):
        if not least <= p[option] <= most:
            module.fail_json(msg=f"service_stress_{option} is {p[option]}: {least} to {most} is allowed.")
    try:
        result = Load(module).result()
    except ResourceError as e:
        module.fail_json(msg=str(e))
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg=f"Could not put load on the service {p['service']!r}")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
