# SPDX-License-Identifier: GPL-3.0-or-later
import itertools
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, run
from modules.test_ecs_service import CLUSTER, account, register  # noqa: F401 - a fixture
from modules.test_ecs_service import OPTIONS as SERVICE

from ansible_collections.handson.ecs.plugins.modules import ecs_verify

ANSWERS = {"/health": (200, '{ "status" :\n "UP" }'), "/broken": (500, "sorry"), "/hangul": (200, "안녕하세요")}
#: Which task answers next, by path: a load balancer that takes turns.
TURNS = {"/health": ["a", "b"], "/one": ["a"], "/sick": ["a", "b", "a"]}
ANSWERS["/one"] = (200, "one")
ANSWERS["/users"] = (200, '[{"id": 1}, {"id": 2}]')


@pytest.fixture(scope="module")
def web():
    """A program that answers over HTTP; its port."""

    turns = {path: itertools.cycle(names) for path, names in TURNS.items()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, body = ANSWERS.get(self.path, (404, "nothing here"))
            if self.path in turns:
                task = next(turns[self.path])
                status = 500 if (self.path, task) == ("/sick", "b") else 200
            self.send_response(status)
            if self.path in turns:
                self.send_header("X-Task", task)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def options(monkeypatch, web):
    """Options of the module, whose load balancer has the program's address."""
    find = ecs_verify.names.load_balancer
    monkeypatch.setattr(
        ecs_verify.names, "load_balancer", lambda elbv2, name: {**find(elbv2, name), "DNSName": "127.0.0.1"}
    )
    return {
        "cluster": CLUSTER,
        "service": SERVICE["name"],
        "load_balancer": "petclinic-rest-alb",
        "target_group": "petclinic-rest-target",
        "port": web,
        "requests": [{"path": "/health", "contains": '"status":"UP"'}],
        "timeout": 0,
        "interval": 0.01,
    }


@pytest.fixture
def steady(account):  # noqa: F811
    run("ecs_service", **SERVICE)


def failed(options):
    """The checks that fail, by name."""
    with pytest.raises(Failed) as failure:
        run("ecs_verify", **options)
    result = failure.value.result
    bad = {c["check"]: c["said"] for c in result["checks"] if not c["ok"]}
    assert all(name in result["msg"] for name in bad)
    return bad


def test_a_good_service(steady, options, web):
    result = run("ecs_verify", **options)
    assert not result["changed"] and all(c["ok"] for c in result["checks"])
    assert [c["check"] for c in result["checks"]] == ["steady state", "targets", "GET /health"]
    assert result["overview"] == {
        "cluster": CLUSTER,
        "service": SERVICE["name"],
        "tasks": "2 of 2 tasks running",
        "task_definition": "petclinic-rest-task:1",
        "targets": "2 of 2 healthy",
        "url": f"http://127.0.0.1:{web}",
    }


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        ({"path": "/health", "contains": '"status":"DOWN"'}, "200"),
        ({"path": "/health", "status": 201}, "200"),
        ({"path": "/none"}, "404"),
        ({"path": "/broken"}, "500"),
        ({"path": "/users", "items": 3}, '200 [{"id": 1}, {"id": 2}] (2 entries, 3 are wanted)'),
        ({"path": "/health", "items": 1}, "200"),
        ({"path": "/hangul", "items": 0}, "200"),
    ],
)
def test_a_bad_answer(steady, options, request_, said):
    bad = failed({**options, "requests": [request_]})
    assert list(bad) == [f"GET {request_['path']}"] and bad[f"GET {request_['path']}"].startswith(said)


def test_other_good_answers(steady, options):
    run(
        "ecs_verify",
        **{**options, "requests": [{"path": "/none", "status": 404}, {"path": "/hangul", "contains": "안녕"}, {"path": "/users", "items": 2}]},
    )


def test_nobody_listens(steady, options):
    bad = failed({**options, "port": 1})
    assert "refused" in bad["GET /health"]


@pytest.mark.parametrize(
    ("scheme", "port", "url"),
    [("http", 80, "http://127.0.0.1"), ("https", 443, "https://127.0.0.1"), ("http", 8080, "http://127.0.0.1:8080")],
)
def test_the_url_leaves_the_usual_port_out(steady, options, scheme, port, url):
    result = run("ecs_verify", **{**options, "scheme": scheme, "port": port, "requests": []})
    assert result["overview"]["url"] == url


def test_the_url_leads_to_what_the_service_has(steady, options, web):
    result = run("ecs_verify", **{**options, "path": "/api/users"})
    assert result["overview"]["url"] == f"http://127.0.0.1:{web}/api/users"
    assert all(c["ok"] for c in result["checks"])  # what is asked begins at the load balancer, as before


def test_nothing_is_there(aws, options):
    bad = failed(options)
    assert set(bad) == {"cluster", "targets", "load balancer"}
    assert "no target group" in bad["targets"] and "no load balancer" in bad["load balancer"]
    checked = run("ecs_verify", check=True, **options)  # nothing was made, so nothing is wrong
    assert not any(c["ok"] for c in checked["checks"])
    aws("ecs").create_cluster(clusterName=CLUSTER)
    assert "service" in failed(options)


def test_unhealthy_targets_and_no_steady_state(aws, account, options):  # noqa: F811
    register(aws, image="petclinic:unhealthy")
    run("ecs_service", **{**SERVICE, "health_check_grace_period": 3600, "wait": False})
    for _ in range(3):
        aws("ecs").describe_services(cluster=CLUSTER, services=[SERVICE["name"]])
    bad = failed(options)
    assert set(bad) == {"steady state", "targets"}
    assert bad["targets"] == "0 of 2 healthy, Health checks failed with these codes: [500]"


def test_what_may_still_come_true_is_waited_for(account, options, tmp_path):  # noqa: F811
    run("ecs_service", **{**SERVICE, "wait": False})
    progress = tmp_path / "progress"
    result = run("ecs_verify", **{**options, "timeout": 10, "progress_file": str(progress)})
    assert all(c["ok"] for c in result["checks"])
    assert "waiting for steady state (" in progress.read_text()


def asked(options, path, **more):
    request = {"path": path, **more}
    return {**options, "task_header": "X-Task", "requests": [request]}


def test_every_task_answers(steady, options, tmp_path):
    progress = tmp_path / "progress"
    result = run("ecs_verify", **asked(options, "/health"), progress_file=str(progress))
    assert result["checks"][-1] == {"check": "GET /health", "ok": True, "said": "200, 2 of 2 tasks"}
    assert "GET /health: 200, 2 of 2 tasks" in progress.read_text()


def test_a_task_that_does_not_answer(steady, options):
    bad = failed(asked(options, "/one"))
    assert bad["GET /one"] == f"200, 1 of 2 tasks answered within {ecs_verify.tries(2)} requests"
    assert run("ecs_verify", **asked(options, "/one", every_task=False))["checks"][-1]["said"] == "200, one answer"


@pytest.fixture
def named(aws, steady, monkeypatch):
    """Return a function by which the two programs call themselves after tasks: it gets what to call a and b."""
    monkeypatch.setattr(ecs_verify, "tries", lambda _tasks: 6)
    called = ecs_verify.Verification._task

    def name(a, b):
        names = {"a": a, "b": b}
        monkeypatch.setattr(ecs_verify.Verification, "_task", lambda self, answer: names.get(called(self, answer)))

    return name


def tasks_of(aws, desired="RUNNING"):
    """[(task id, host name of its container)]"""
    arns = aws("ecs").list_tasks(cluster=CLUSTER, serviceName=SERVICE["name"], desiredStatus=desired)["taskArns"]
    tasks = aws("ecs").describe_tasks(cluster=CLUSTER, tasks=arns)["tasks"]
    return [(t["taskArn"].rsplit("/", 1)[-1], t["containers"][0]["runtimeId"][:12]) for t in tasks]


def test_one_task_does_not_stand_for_two(aws, named, options):
    (task, host_name), (_other, others) = tasks_of(aws)
    named(task, host_name)
    assert failed(asked(options, "/health"))["GET /health"] == "200, 1 of 2 tasks answered within 6 requests"
    named(task, others)
    with recorded() as calls:
        assert run("ecs_verify", **asked(options, "/health"))["checks"][-1]["said"] == "200, 2 of 2 tasks"
    # Those that run once for all paths, and at the end those that ended.
    assert operations(calls).count("ListTasks") == 2


@pytest.mark.parametrize("kind", [0, 1])
def test_a_task_that_is_being_stopped_does_not_stand_for_a_missing_one(aws, named, options, kind):
    before = tasks_of(aws)
    aws("ecs").stop_task(cluster=CLUSTER, task=before[0][0])
    run("ecs_service", **SERVICE)
    now = tasks_of(aws)
    assert len({*before, *now}) == 3
    named(now[0][kind], before[0][kind])
    assert failed(asked(options, "/health"))["GET /health"] == "200, 1 of 2 tasks answered within 6 requests"


def test_names_that_ecs_does_not_know_are_counted(named, options):
    named("one", "two")
    assert run("ecs_verify", **asked(options, "/health"))["checks"][-1]["said"] == "200, 2 of 2 tasks"

    def denied(_real, _parameters):
        raise error("AccessDeniedException", "not authorized to perform ecs:ListTasks")

    with recorded(ListTasks=denied):
        assert run("ecs_verify", **asked(options, "/health"))["checks"][-1]["said"] == "200, 2 of 2 tasks"


def test_the_task_that_answers_wrongly_is_named(steady, options):
    assert failed(asked(options, "/sick"))["GET /sick"].endswith("(task b)")


def test_answers_without_the_header(steady, options):
    assert "without the header X-Task" in failed(asked(options, "/users"))["GET /users"]


@pytest.mark.parametrize(("tasks", "most"), [(0, 1), (1, 1), (2, 20), (16, 192), (1000, 2000)])
def test_requests_are_bounded(tasks, most):
    assert tasks <= max(ecs_verify.tries(tasks), 1) and ecs_verify.tries(tasks) == most


def test_a_task_that_ended_is_told(aws, steady, options):
    with recorded() as calls:
        assert "ended" not in run("ecs_verify", **options)["overview"]
    assert operations(calls).count("ListTasks") == 1 and "DescribeTasks" not in operations(calls)
    ecs = aws("ecs")
    (task, _other) = ecs.list_tasks(cluster=CLUSTER, serviceName=SERVICE["name"])["taskArns"]
    ecs.stop_task(cluster=CLUSTER, task=task)
    run("ecs_service", **SERVICE)
    with recorded() as calls:
        said = run("ecs_verify", **options)["overview"]["ended"]
    assert said.startswith("1 task ended ") and said.endswith(" s ago (Task stopped by user) and was replaced")
    assert operations(calls).count("ListTasks") == operations(calls).count("DescribeTasks") == 1
    # A roll-out stops tasks as well, and those of before it are no more than history.
    run("ecs_service", **SERVICE, force_new_deployment=True)
    assert "ended" not in run("ecs_verify", **options)["overview"]
