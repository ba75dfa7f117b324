# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.filter.overview_rows import FilterModule, overview_rows


def host(name="h", **registered):
    return {"inventory_hostname": name, **registered}


@pytest.mark.parametrize(
    ("seen", "rows"),
    [
        ({}, []),
        ({"__verify_cluster": {"skipped": True}}, []),
        ({"__verify_cluster": {"skipped": True, "changed": False}}, []),
        ({"__verify_cluster": {"ready": 2}}, [["cluster", "h", "2 container instances ready"]]),
        (
            {
                "__verify_cluster": {
                    "ready": 2,
                    "container_instances": [
                        {"running_tasks_count": 2, "agent_version": "1.102.0"},
                        {"running_tasks_count": 1, "agent_version": "1.99.1"},
                        {"running_tasks_count": 0, "agent_version": None},
                    ],
                }
            },
            [["cluster", "h", "2 container instances ready, 3 tasks, agent 1.102.0 and 1.99.1 and unknown"]],
        ),
        ({"__verify_cluster": {"ready": 0}}, [["cluster", "h", "0 container instances ready"]]),
        ({"__verify_cluster": {"skipped": False, "failed": True}}, [["cluster", "h", "not there"]]),
        ({"__verify_service": {"skipped": True}}, []),
        (
            {"__verify_service": {"overview": {"service": "s"}}},
            [["service", "s", "not there"], ["targets", "s", "not there"], ["url", "s", "not there"]],
        ),
        (
            {
                "__verify_service": {
                    "overview": {
                        "service": "s",
                        "tasks": "2 of 2 tasks running",
                        "task_definition": "f:1",
                        "targets": "2 of 2 healthy",
                        "url": "http://x",
                    }
                }
            },
            [
                ["service", "s", "2 of 2 tasks running of f:1"],
                ["targets", "s", "2 of 2 healthy"],
                ["url", "s", "http://x"],
            ],
        ),
        (
            {"__verify_service": {"overview": {"service": "s", "ended": "1 task ended 40 s ago (…) and was replaced"}}},
            [
                ["service", "s", "not there"],
                ["targets", "s", "not there"],
                ["url", "s", "not there"],
                ["ended", "s", "1 task ended 40 s ago (…) and was replaced"],
            ],
        ),
    ],
)
def test_rows_of_a_host(seen, rows):
    assert overview_rows([host(**seen)]) == rows


def test_clusters_come_before_services():
    hosts = [
        host("s", __verify_service={"overview": {"service": "s"}}),
        host("c", __verify_cluster={"ready": 1}),
    ]
    assert [row[0] for row in overview_rows(hosts)] == ["cluster", "service", "targets", "url"]


def test_it_is_a_filter():
    assert FilterModule().filters() == {"overview_rows": overview_rows}
