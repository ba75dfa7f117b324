# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils import task_definitions as td

CONTAINER = {"name": "app", "image": "app:1"}
NORMAL = {"name": "app", "image": "app:1", "essential": True}
#: What DescribeTaskDefinition shows beside what was registered.
FILLED_IN = {
    "cpu": 0,
    "portMappings": [],
    "essential": True,
    "environment": [],
    "environmentFiles": [],
    "mountPoints": [],
    "volumesFrom": [],
    "secrets": [],
    "ulimits": [],
    "systemControls": [],
    "credentialSpecs": [],
}


@pytest.mark.parametrize(
    ("option", "api"),
    [
        ("image", "image"),
        ("memory_reservation", "memoryReservation"),
        ("readonly_root_filesystem", "readonlyRootFilesystem"),
        ("s3_bucket", "s3Bucket"),
    ],
)
def test_names(option, api):
    assert td.camel(option) == api and td.snake(api) == option


def test_the_users_own_names_stay():
    option = {"log_configuration": {"log_driver": "awslogs", "options": {"awslogs-group": "g", "my_key": "v"}}}
    api = {"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g", "my_key": "v"}}}
    assert td.to_aws(option) == api and td.from_aws(api) == option
    assert td.from_aws({"dockerLabels": {"fooBar": ""}}) == {"docker_labels": {"fooBar": ""}}
    secrets = {"secret_options": [{"name": "apiKey", "value_from": "arn"}]}
    assert td.to_aws(secrets) == {"secretOptions": [{"name": "apiKey", "valueFrom": "arn"}]}


def test_empty_values_that_ecs_fills_in_are_left_out():
    assert td.from_aws({"name": "data", "host": {}}) == {"name": "data"}
    log = {"logDriver": "awslogs", "options": {"a": "1"}, "secretOptions": []}
    assert td.from_aws({"logConfiguration": log}) == {
        "log_configuration": {"log_driver": "awslogs", "options": {"a": "1"}}
    }
    assert td.from_aws([{"base": 0, "flag": False}]) == [{"base": 0, "flag": False}]


@pytest.mark.parametrize(
    ("option", "api"),
    [
        ({}, {}),
        ({"cpu": 0}, {}),
        (
            {"cpu": "256", "memory": 512, "memory_reservation": "256"},
            {"cpu": 256, "memory": 512, "memoryReservation": 256},
        ),
        ({"essential": False}, {"essential": False}),
        ({"command": [], "entry_point": None, "working_directory": ""}, {}),
        (
            {"environment": {"A": True, "B": 1, "C": "", "D": 1.5}},
            {"environment": [("A", "true"), ("B", "1"), ("C", ""), ("D", "1.5")]},
        ),
        ({"secrets": {"B": "arn:b", "A": "arn:a"}}, {"secrets": [("B", "arn:b"), ("A", "arn:a")]}),
        (
            {"log_configuration": {"log_driver": "awslogs", "options": {"awslogs-create-group": True, "max": 5}}},
            {
                "logConfiguration": {
                    "logDriver": "awslogs",
                    "options": {"awslogs-create-group": "true", "max": "5"},
                    "secretOptions": [],
                }
            },
        ),
        (
            {"health_check": {"command": ["CMD", "true"], "retries": None, "start_period": "60"}},
            {
                "healthCheck": {
                    "command": ["CMD", "true"],
                    "interval": 30,
                    "timeout": 5,
                    "retries": 3,
                    "startPeriod": 60,
                }
            },
        ),
        (
            {
                "ulimits": [
                    {"name": "nofile", "soft_limit": 1, "hard_limit": 2},
                    {"name": "core", "soft_limit": 1, "hard_limit": 1},
                ]
            },
            {
                "ulimits": [
                    {"name": "core", "softLimit": 1, "hardLimit": 1},
                    {"name": "nofile", "softLimit": 1, "hardLimit": 2},
                ]
            },
        ),
    ],
)
def test_option_and_what_ecs_shows_of_it_are_the_same(option, api):
    shown = {**CONTAINER, **FILLED_IN, **api}
    for key, value in (("environment", "value"), ("secrets", "valueFrom")):
        shown[key] = [{"name": n, value: v} for n, v in shown[key]]
    wanted = td.normal_container({**CONTAINER, **option}, "bridge")
    assert td.container_from_aws(shown, "bridge") == wanted
    # And what is registered comes back as it went.
    assert td.container_from_aws(td.container_to_aws(wanted), "bridge") == wanted


def test_a_plain_container_has_no_defaults_in_it():
    assert td.normal_container(CONTAINER, "bridge") == NORMAL


@pytest.mark.parametrize(
    "changed", [{"image": "app:2"}, {"command": ["x"]}, {"environment": {"A": "1"}}, {"essential": False}]
)
def test_a_difference_is_seen(changed):
    assert td.normal_container({**CONTAINER, **changed}, "bridge") != NORMAL


def test_the_order_of_a_command_counts():
    one, other = (td.normal_container({**CONTAINER, "command": c}, "bridge") for c in (["a", "b"], ["b", "a"]))
    assert one != other


@pytest.mark.parametrize(
    ("port", "mode", "normal"),
    [
        ({"container_port": 80}, "bridge", (80, 0, "tcp")),
        ({"container_port": "80", "host_port": "0"}, "bridge", (80, 0, "tcp")),
        ({"container_port": 80, "host_port": 8080, "protocol": "udp"}, "bridge", (80, 8080, "udp")),
        ({"container_port": 80}, "awsvpc", (80, 80, "tcp")),
        ({"container_port": 80, "host_port": "0"}, "awsvpc", (80, 80, "tcp")),
        ({"container_port": 80, "host_port": 80}, "awsvpc", (80, 80, "tcp")),
        ({"container_port": 80, "host_port": 0}, "host", (80, 80, "tcp")),
        ({"container_port": 80, "protocol": None}, "none", (80, 0, "tcp")),
    ],
)
def test_ports_by_network_mode(port, mode, normal):
    mapping = td.normal_container({**CONTAINER, "port_mappings": [port]}, mode)["port_mappings"][0]
    assert (mapping["container_port"], mapping["host_port"], mapping["protocol"]) == normal


def test_a_range_of_ports_has_no_single_one():
    ports = [{"container_port_range": "80-90"}]
    mappings = td.normal_container({**CONTAINER, "port_mappings": ports}, "bridge")["port_mappings"]
    assert mappings == [{"container_port_range": "80-90", "protocol": "tcp"}]


def test_the_order_of_ports_does_not_count():
    ports = [{"container_port": 80}, {"container_port": 443, "name": "tls"}]
    one, other = (td.normal_container({**CONTAINER, "port_mappings": p}, "bridge") for p in (ports, ports[::-1]))
    assert one == other


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (None, None),
        ("", None),
        (512, "512"),
        (" 512 ", "512"),
        ("1 vCPU", "1024"),
        (".5 vcpu", "512"),
        ("0.25vCPU", "256"),
        ("2 GB", "2048"),
        ("0.5GB", "512"),
    ],
)
def test_size(value, kept):
    assert td.size(value) == kept


@pytest.mark.parametrize(
    ("role", "name"),
    [(None, None), ("", None), ("r", "r"), ("arn:aws:iam::1:role/r", "r"), ("arn:aws:iam::1:role/path/r", "r")],
)
def test_role_name(role, name):
    assert td.role_name(role) == name


@pytest.mark.parametrize(
    ("name", "value", "hidden"),
    [
        ("DB_PASSWORD", "x", True),
        ("PGPASSWORD", "x", True),
        ("DB_PWD", "x", True),
        ("PWD_CHECK", "x", False),
        ("githubToken", "x", True),
        ("AWS_SECRET_ACCESS_KEY", "x", True),
        ("API_KEY", "x", True),
        ("JAVA_OPTS", "-Xmx512m", False),
        ("SPRING_PROFILES_ACTIVE", "mysql", False),
        ("DATABASE_URL", "mysql://petclinic:geheim@db/petclinic", True),
        ("REDIS_URL", "redis://:geheim@cache:6379", True),
        ("DATABASE_URL", "mysql://db:3306/petclinic", False),
        ("MAIL", "http://example.com/a:b@c", False),
    ],
)
def test_secrets_are_masked(name, value, hidden):
    containers = {"app": {**NORMAL, "environment": {name: value}}}
    shown = td.masked(containers)["app"]["environment"][name]
    assert (shown != value) is hidden and containers["app"]["environment"][name] == value
    if hidden:
        assert value not in shown and shown.startswith("(hidden")


def test_a_masked_value_still_shows_that_it_changed():
    one, same, other = (td.masked({"app": {"environment": {"TOKEN": v}}}) for v in ("a", "a", "b"))
    assert one == same != other
    assert td.masked({"app": NORMAL}) == {"app": NORMAL}


TASK = {"cpu": "512", "containerDefinitions": [{**CONTAINER, **FILLED_IN}], "requiresAttributes": [{"name": "x"}]}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"revision": 2, "taskDefinitionArn": "f:2", "registeredBy": "pipeline", "registeredAt": 2, "status": "INACTIVE"}, True),
        ({"requiresAttributes": [], "compatibilities": ["EC2"], "volumes": []}, True),
        ({"containerDefinitions": [CONTAINER]}, True),
        ({"containerDefinitions": [{**CONTAINER, "image": "app:2"}]}, False),
        ({"containerDefinitions": [{**CONTAINER, "environment": [{"name": "A", "value": "1"}]}]}, False),
        ({"cpu": "1024"}, False),
        ({"taskRoleArn": "arn:aws:iam::1:role/r"}, False),
    ],
)
def test_same_task(change, same):
    assert td.same_task(TASK, {**TASK, **change}) is same


def test_image_of():
    assert td.image_of(TASK, "app") == "app:1" and td.image_of(TASK, "sidecar") is None and td.image_of({}, None) is None
