# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Host
from ansible_collections.handson.ecs.plugins.module_utils.report.inventory import url


@pytest.mark.parametrize(
    ("values", "address"),
    [
        ({}, "http://$host/"),
        ({"load_balancer_service_port": 80, "verify_requests": [{"path": "/actuator/health"}]}, "http://$host/actuator/health"),
        ({"load_balancer_service_port": "8080", "target_group_rule_paths": ["/api/users*"]}, "http://$host:8080/api/users"),
        ({"load_balancer_service_port": 443, "load_balancer_certificate_arn": "arn:x"}, "https://$host/"),
        ({"load_balancer_service_port": 443, "load_balancer_certificate_arn": "arn:x", "verify_host": "x.example"},
         "https://x.example/"),
        ({"verify_requests": [{"path": "/none", "status": 404}, {"path": "/ok"}]}, "http://$host/ok"),
    ],
)  # fmt: skip
def test_where_a_service_answers(values, address):
    assert url(Host("s", "service", values)) == address
