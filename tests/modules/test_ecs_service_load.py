# SPDX-License-Identifier: GPL-3.0-or-later
import os
import shutil
import stat
import threading
import time
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, run
from modules.test_ecs_service import CLUSTER, OWNER, account  # noqa: F401 - a fixture
from modules.test_ecs_service import OPTIONS as SERVICE

from ansible_collections.handson.ecs.plugins.modules import ecs_service_load

CLUSTER_OWNER = {"handson:cluster": CLUSTER}
AWS_NAME = "petclinic-rest-alb-123.ap-southeast-1.elb.amazonaws.com"
LOOKS = [
    "DescribeServices",
    "DescribeClusters",
    "DescribeLoadBalancers",
    "DescribeTargetGroups",
    "DescribeTags",
    "DescribeListeners",
    "DescribeRules",
]
GOOD = 'for i in 1 2 3; do echo "LOG: Response code = 200"; done; echo "Complete requests:      3"'


@pytest.fixture
def web():
    """A program that answers over HTTP and counts its requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append((self.path, self.headers["Host"]))
            self.send_response(503 if self.path == "/broken" else 200)
            self.end_headers()
            self.wfile.write(b"OK")

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def ab(monkeypatch, tmp_path):
    """Return a function that puts a shell script in the place of ab, and one that says how it was called."""
    folder = tmp_path / "bin"
    folder.mkdir()
    noted = tmp_path / "called"

    def write(script=GOOD):
        file = folder / "ab"
        file.write_text(f'#!/bin/sh\necho "$@" >> {noted}\n{script}\n')
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    write.calls = lambda: noted.read_text().splitlines() if noted.exists() else []
    write()
    return write


@pytest.fixture
def name(monkeypatch):
    """Return a function that gives the load balancer another DNS name."""
    find = ecs_service_load.names.load_balancer

    def named(dns):
        monkeypatch.setattr(
            ecs_service_load.names, "load_balancer", lambda elbv2, name: {**find(elbv2, name), "DNSName": dns}
        )

    named("localhost")
    return named


@pytest.fixture
def real(monkeypatch, name):
    """An endpoint that is not on this machine, as far as the module knows."""
    name(AWS_NAME)
    monkeypatch.setattr(ecs_service_load.service_load, "is_local", lambda url: False)


@pytest.fixture
def options(aws, account, alb, web, name):  # noqa: F811
    """Options for a service of ours, whose load balancer has the program's address."""
    elbv2 = aws("elbv2")
    run("ecs_service", **SERVICE)
    for arn, tags in ((alb["LoadBalancerArn"], CLUSTER_OWNER), (account, OWNER)):
        elbv2.add_tags(ResourceArns=[arn], Tags=[{"Key": k, "Value": v} for k, v in tags.items()])
    forward = [{"Type": "forward", "TargetGroupArn": account}]
    elbv2.create_listener(
        LoadBalancerArn=alb["LoadBalancerArn"], Protocol="HTTP", Port=web.server_port, DefaultActions=forward
    )
    return {
        "cluster": CLUSTER,
        "service": SERVICE["name"],
        "owner": OWNER,
        "load_balancer": "petclinic-rest-alb",
        "load_balancer_owner": CLUSTER_OWNER,
        "target_group": "petclinic-rest-target",
        "port": web.server_port,
        "requests": 30,
        "concurrency": 3,
        "seconds": 20,
        "interval": 0.2,
        "watch": 0,
    }


@pytest.mark.skipif(not shutil.which("ab"), reason="needs ab (apt install apache2-utils)")
def test_load_is_sent_and_counted(options, web, tmp_path):
    progress = tmp_path / "progress"
    with recorded() as calls:
        result = run("ecs_service_load", **options, progress_file=str(progress))
    load = result["load"]
    assert web.asked == [("/test/stress", f"127.0.0.1:{web.server_port}")] * 30
    assert load["url"] == f"http://127.0.0.1:{web.server_port}/test/stress"
    assert (load["requests"], load["statuses"], load["unanswered"]) == (30, {"200": 30}, 0)
    assert load["requests_per_second"] > 0 and set(load["milliseconds"]) == {"50", "90", "99"}
    assert not result["changed"] and result["before"] == result["after"] == {"desired": 2, "running": 2, "instances": 2}
    assert "evaluates no alarms" in result["notes"][0]
    assert progress.read_text().splitlines()[0].endswith("for at most 20 s; tasks 2 of 2, instances 2")
    assert operations(calls)[:7] == LOOKS
    assert not [call for call in operations(calls) if not call.startswith(("Describe", "Get"))]


@pytest.mark.skipif(not shutil.which("ab"), reason="needs ab (apt install apache2-utils)")
def test_answers_that_are_all_bad_are_a_failure(options, web):
    with pytest.raises(Failed, match="No request to .*/broken was answered well: all 503"):
        run("ecs_service_load", **options, path="/broken")
    assert len(web.asked) == 30


def test_it_gives_up_where_all_answers_are_bad(options, ab):
    ab('for i in $(seq 20); do echo "WARNING: Response code not 2xx (404)"; done; exec sleep 60')
    began = time.monotonic()
    with pytest.raises(Failed, match="answered well: all 404 .*Set service_stress_path"):
        run("ecs_service_load", **options)
    assert time.monotonic() - began < 15


def test_check_mode_looks_and_sends_nothing(options, ab, web):
    with recorded() as calls:
        result = run("ecs_service_load", check=True, **options)
    assert operations(calls) == LOOKS and not ab.calls() and not web.asked
    assert result["load"] == {"url": f"http://127.0.0.1:{web.server_port}/test/stress"}
    assert "it would send 30 requests" in result["notes"][0]


def refused(options, ab, match):
    """No load, and no call but such as read."""
    with recorded() as calls, pytest.raises(Failed, match=match):
        run("ecs_service_load", **options)
    assert not ab.calls() and set(operations(calls)) <= set(LOOKS)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"owner": {"handson:service": "another"}}, "service .* is not ours: its tag handson:service"),
        ({"load_balancer_owner": {"handson:cluster": "another"}}, "load balancer .* is not ours"),
        ({"owner": {}}, "give the owner's tags"),
        ({"load_balancer_owner": {}}, "give the owner's tags"),
        ({"service": "another"}, "There is no service 'another'.*playbooks/service.yml"),
        ({"cluster": "another"}, "There is no service"),
        ({"load_balancer": "another"}, "no load balancer named 'another'"),
        ({"target_group": "another"}, "no target group named 'another'"),
        ({"port": 1}, "no HTTP listener on port 1"),
        ({"scheme": "https"}, "no HTTPS listener"),
        ({"path": "http://example.com/"}, "a path of the service is needed"),
        ({"path": "@example.com/"}, "a path of the service is needed"),
        ({"requests": 0}, "service_stress_requests is 0"),
        ({"seconds": 10**6}, "service_stress_seconds is 1000000"),
    ],
)
def test_what_is_not_ours_gets_no_load(options, ab, change, match):
    refused({**options, **change}, ab, match)


def test_a_target_group_that_is_not_ours(aws, account, options, ab):  # noqa: F811
    aws("elbv2").remove_tags(ResourceArns=[account], TagKeys=["handson:service"])
    refused(options, ab, "target group .* is not ours: it has no tag handson:service")


def test_a_path_that_comes_to_another_service(aws, alb, options, ab):
    elbv2 = aws("elbv2")
    made = elbv2.create_target_group(Name="users-target", Protocol="HTTP", Port=80, VpcId=alb["VpcId"])
    listeners = elbv2.describe_listeners(LoadBalancerArn=alb["LoadBalancerArn"])["Listeners"]
    elbv2.create_rule(
        ListenerArn=next(x["ListenerArn"] for x in listeners if x["Port"] == options["port"]),
        Priority=1,
        Conditions=[{"Field": "path-pattern", "Values": ["/test/*"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": made["TargetGroups"][0]["TargetGroupArn"]}],
    )
    refused(options, ab, "/test/stress does not come to this service: .* give it to users-target. Set service_stress_path")
    assert run("ecs_service_load", **options, path="/other")["load"]["requests"] == 3


@pytest.mark.skipif(not shutil.which("ab"), reason="needs ab (apt install apache2-utils)")
def test_a_rule_that_selects_by_the_hosts_name(aws, account, alb, options, web):  # noqa: F811
    elbv2 = aws("elbv2")
    listeners = elbv2.describe_listeners(LoadBalancerArn=alb["LoadBalancerArn"])["Listeners"]
    listener = next(x["ListenerArn"] for x in listeners if x["Port"] == options["port"])
    refuse = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404"}}
    elbv2.modify_listener(ListenerArn=listener, DefaultActions=[refuse])
    elbv2.create_rule(
        ListenerArn=listener,
        Priority=1,
        Conditions=[{"Field": "host-header", "Values": ["api.example.org"]}],
        Actions=[{"Type": "forward", "TargetGroupArn": account}],
    )
    for asked, said in (({}, "localhost"), ({"host": "www.example.org"}, "www.example.org")):
        with pytest.raises(Failed, match=f"asked of {said}, .* give it to no target group.*verify_host to one of"):
            run("ecs_service_load", **options, **asked)
    assert not web.asked
    assert run("ecs_service_load", **options, host="api.example.org")["load"]["statuses"] == {"200": 30}
    assert set(web.asked) == {("/test/stress", "api.example.org")}


def test_records_answer_nothing(options, ab, name):
    name(AWS_NAME)
    refused(options, ab, "runs no containers: nothing answers.*make containers")


def test_a_name_of_this_machine_on_a_real_account(options, ab, real, name):
    name("localhost")
    refused({**options, "confirm": True}, ab, "no load balancer's of AWS is")


def test_a_real_account_wants_to_be_asked(options, ab, real):
    refused(options, ab, f"30 requests to http://{AWS_NAME}:.*costs money.*-e stress_confirm=true")
    assert run("ecs_service_load", check=True, **options)["load"] and not ab.calls()


def test_without_a_generator(options, monkeypatch):
    monkeypatch.setattr(ecs_service_load.shutil, "which", lambda name: None)
    for check in (True, False):
        with pytest.raises(Failed, match="apt install apache2-utils"):
            run("ecs_service_load", check=check, **options)


def test_what_the_scalers_did(options, ab, real, tmp_path):
    now = datetime.now(timezone.utc)

    def tell(_real, asked):
        at = {"StartTime": now + timedelta(seconds=30), "StatusCode": "Successful", "Cause": "alarm"}
        before = {**at, "StartTime": now - timedelta(hours=1), "Description": "of before"}
        if "AutoScalingGroupName" in asked:
            late = {**at, "StartTime": now + timedelta(seconds=60), "Description": "Launching a new EC2 instance: i-1"}
            return {"Activities": [late, before]}
        return {"ScalingActivities": [{**at, "Description": "Setting desired count to 4."}, before]}

    services = []

    def grown(answer, _parameters):
        found = answer()
        services.append(0)
        if len(services) > 1:
            found["services"][0].update(desiredCount=4, runningCount=3)
        return found

    progress = tmp_path / "progress"
    with recorded(DescribeScalingActivities=tell, DescribeServices=grown):
        result = run(
            "ecs_service_load", **options, confirm=True, auto_scaling_group="group", progress_file=str(progress)
        )
    assert [(a["what"], a["description"]) for a in result["activities"]] == [
        ("service", "Setting desired count to 4."),
        ("instances", "Launching a new EC2 instance: i-1"),
    ]
    assert result["before"]["desired"] == 2 and result["after"] == result["most"] == {"desired": 4, "running": 3, "instances": 2}
    said = progress.read_text()
    assert "after the load: tasks 3 of 4, instances 2" in said and "instances: Launching a new EC2 instance: i-1" in said
    assert ab.calls() == [f"-v 3 -l -r -s 60 -t 20 -n 30 -c 3 http://{AWS_NAME}:{options['port']}/test/stress"]


def test_a_scaler_that_did_nothing_and_one_that_may_not_be_read(options, ab, real):
    result = run("ecs_service_load", **options, confirm=True, auto_scaling_group="none")
    assert result["activities"] == [] and any("No scaler did anything" in note for note in result["notes"])

    def deny(_real, _parameters):
        raise error("AccessDeniedException", "you may not")

    with recorded(DescribeScalingActivities=deny, GetMetricData=deny):
        notes = run("ecs_service_load", **options, confirm=True)["notes"]
    assert sum("could not be read" in note for note in notes) == 2


def test_the_cpu_by_minute(aws, options, ab):
    dimensions = [{"Name": "ClusterName", "Value": CLUSTER}, {"Name": "ServiceName", "Value": SERVICE["name"]}]
    aws("cloudwatch").put_metric_data(
        Namespace="AWS/ECS",
        MetricData=[{"MetricName": "CPUUtilization", "Dimensions": dimensions, "Value": v} for v in (40, 80)],
    )
    (minute,) = run("ecs_service_load", **options)["cpu"]
    assert (minute["average"], minute["maximum"]) == (60, 80)


def test_a_generator_that_does_not_end_is_ended(options, ab, monkeypatch):
    monkeypatch.setattr(ecs_service_load, "GRACE", 0)
    ab('echo "LOG: Response code = 200"; exec sleep 60')
    began = time.monotonic()
    result = run("ecs_service_load", **{**options, "seconds": 1})
    assert time.monotonic() - began < 10
    assert any("went on beyond its 1 s and was ended" in note for note in result["notes"])
    assert result["load"]["requests"] == 1


def test_a_generator_that_gives_up(options, ab):
    ab(f'{GOOD}; echo "apr_pollset_poll: The timeout specified has expired (70007)"; exit 7')
    notes = run("ecs_service_load", **options)["notes"]
    assert any("ab ended early, with code 7: apr_pollset_poll: The timeout" in note for note in notes)
    assert any("3 of 30 requests" in note and "the time was up" in note for note in notes)


def test_it_is_ended_when_a_look_fails(options, ab, tmp_path):
    pid = tmp_path / "pid"
    ab(f"echo $$ > {pid}; exec sleep 60")
    looks = []

    def fail(real, _parameters):
        looks.append(0)
        if len(looks) > 1:
            raise error("ThrottlingException", "too much")
        return real()

    with recorded(DescribeClusters=fail), pytest.raises(Failed, match="Could not put load"):
        run("ecs_service_load", **options)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
