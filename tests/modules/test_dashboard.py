# SPDX-License-Identifier: GPL-3.0-or-later
import json

import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, contract, run

NAME = "petclinic-rest"
WIDGET = {"type": "metric", "properties": {"title": "CPU", "metrics": [["AWS/ECS", "CPUUtilization", "ClusterName", "c"]]}}
OPTIONS = {"name": NAME, "body": {"widgets": [WIDGET]}, "owner": {"handson:service": "petclinic-rest-service"}}


@pytest.fixture
def read(aws):
    def read():
        cloudwatch = aws("cloudwatch")
        found = [d for d in cloudwatch.list_dashboards()["DashboardEntries"] if d["DashboardName"] == NAME]
        if not found:
            return None
        tags = cloudwatch.list_tags_for_resource(ResourceARN=found[0]["DashboardArn"])["Tags"]
        body = json.loads(cloudwatch.get_dashboard(DashboardName=NAME)["DashboardBody"])
        return {"body": body, "tags": {t["Key"]: t["Value"] for t in tags}}

    return read


def test_contract(aws, read):
    contract(
        "dashboard",
        OPTIONS,
        read,
        changes=[
            ({"body": {"widgets": []}}, lambda d: d["body"], {"widgets": []}),
            ({"tags": {"team": "vets"}}, lambda d: d["tags"].get("team"), "vets"),
        ],
    )


def test_an_unchanged_run_makes_two_calls(aws):
    run("dashboard", **OPTIONS)
    with recorded() as calls:
        assert not run("dashboard", **OPTIONS)["changed"]
    assert operations(calls) == ["GetDashboard", "ListTagsForResource"]


def test_the_load_balancer_has_cloudwatchs_name(aws, alb, read):
    body = {"widgets": [{"properties": {"metrics": [["AWS/ApplicationELB", "RequestCount", "LoadBalancer", "$load_balancer"]]}}]}
    options = {**OPTIONS, "body": body, "load_balancer": "petclinic-rest-alb"}
    run("dashboard", **options)
    assert alb["LoadBalancerArn"].endswith(read()["body"]["widgets"][0]["properties"]["metrics"][0][3])
    assert not run("dashboard", **options)["changed"]


def test_what_cloudwatch_says_of_a_body_is_told(aws):
    said = {"DashboardValidationMessages": [{"DataPath": "/widgets/0", "Message": "no such property"}]}
    with recorded(PutDashboard=lambda real, p: {**real(), **said}):
        assert "/widgets/0: no such property" in str(run("dashboard", **OPTIONS)["warnings"])


def test_a_foreign_dashboard_is_refused_and_not_deleted(aws, read):
    aws("cloudwatch").put_dashboard(DashboardName=NAME, DashboardBody='{"widgets": []}')
    with pytest.raises(Failed, match="not ours"):
        run("dashboard", **OPTIONS)
    assert run("dashboard", **OPTIONS, state="absent")["foreign"] and read()["body"] == {"widgets": []}


def test_a_lost_reply_of_a_deletion_is_no_failure(aws, read):
    def lost(real, parameters):
        real()
        raise error("ResourceNotFound", f"Dashboard {NAME} does not exist", "DeleteDashboards")  # to the SDK's second try

    run("dashboard", **OPTIONS)
    with recorded(DeleteDashboards=lost):
        assert run("dashboard", **OPTIONS, state="absent")["changed"]
    assert read() is None
