# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""Every path of both tutorials, asked through the load balancers until every task of the service has answered it."""

import json
import urllib.error
import urllib.request

from readback import Expectations, client, pages

#: {cluster: {service: (its tasks, {path: what the answer must be})}}: a number is so many entries, a text is in it.
WANTED = {
    "petclinic-rest-cluster": {
        "petclinic-rest-service": (
            2,
            {
                "/actuator/health": {"status": "UP"},
                "/actuator/info": "petclinic-rest",
                "/test/update": "Pet clinic service update test.",
                "/test/stress?numbers=1000": '"result": "OK"',
                "/open/vets": 6,
                "/open/vets/2": "Helen",
            },
        )
    },
    "BreakTheMonolith-Demo": {
        "api": (1, {"/": "Ready to receive requests", "/api/": "API ready to receive requests"}),
        "users": (1, {"/api/users": 4, "/api/users/2": "finn"}),
        "threads": (1, {"/api/threads": 3, "/api/threads/1": "title"}),
        "posts": (1, {"/api/posts": 6, "/api/posts/in-thread/1": 2, "/api/posts/by-user/1": "text"}),
    },
}
ATTEMPTS = 20  # requests until each of two tasks has had its turn
expect = Expectations()
ecs = client("ecs")


def ask(url):
    """(status, task, body) of an answer, a bad one as well."""
    try:
        answer = urllib.request.urlopen(url, timeout=20)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers.get("X-Task", ""), answer.read().decode()


def is_it(body, wanted):
    """Whether a body is what is wanted."""
    if isinstance(wanted, str):
        return wanted in body
    found = json.loads(body)
    return len(found) == wanted if isinstance(wanted, int) else found == wanted


balancers = pages("elbv2", "describe_load_balancers", "LoadBalancers")
expect.equal("load balancers", len(balancers), len(WANTED))
bases = {}  # of each target group that a listener forwards to
for balancer in balancers:
    found = pages("elbv2", "describe_listeners", "Listeners", LoadBalancerArn=balancer["LoadBalancerArn"])
    listener = expect.only("listeners", found)
    for rule in pages("elbv2", "describe_rules", "Rules", ListenerArn=listener["ListenerArn"]):
        action = rule["Actions"][0]
        for group in action.get("ForwardConfig", {}).get("TargetGroups") or [action]:
            if "TargetGroupArn" in group:
                bases[group["TargetGroupArn"]] = f"http://{balancer['DNSName']}:{listener['Port']}"

for cluster, services in WANTED.items():
    found = ecs.describe_services(cluster=cluster, services=list(services))["services"]
    expect.equal(f"services of {cluster}", sorted(s["serviceName"] for s in found), sorted(services))
    for service in found:
        name = service["serviceName"]
        count, paths = WANTED[cluster][name]
        arns = pages("ecs", "list_tasks", "taskArns", cluster=cluster, serviceName=name)
        tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]
        expect.equal(f"tasks of {name}", [t["lastStatus"] for t in tasks], ["RUNNING"] * count)
        # A container's host name is the beginning of its id.
        names = {c["runtimeId"][:12] for t in tasks for c in t["containers"]}
        base = bases[service["loadBalancers"][0]["targetGroupArn"]]
        for path, wanted in paths.items():
            answered = set()
            for _ in range(ATTEMPTS):
                status, task, body = ask(base + path)
                expect.holds(f"{base}{path} by {task}", status == 200 and is_it(body, wanted), f"{status} {body[:200]}")
                answered.add(task)
                if answered == names:
                    break
            expect.equal(f"tasks that answered {base}{path}", answered, names)
    # What no service has is not answered by any other.
    expect.equal(f"an unknown path of {cluster}", ask(base + "/no-such-path")[0], 404)

# --- what the containers wrote is in their log groups
for family in ("petclinic-rest-task", "api"):
    revision = ecs.describe_task_definition(taskDefinition=family)["taskDefinition"]
    options = revision["containerDefinitions"][0]["logConfiguration"]["options"]
    events = pages("logs", "filter_log_events", "events", logGroupName=options["awslogs-group"])
    expect.holds(f"requests in the log of {family}", any('"status": 200' in e["message"] for e in events), len(events))
expect.finish()
