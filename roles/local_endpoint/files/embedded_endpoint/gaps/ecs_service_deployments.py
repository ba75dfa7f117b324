# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""ListServiceDeployments, DescribeServiceDeployments, StopServiceDeployment.

moto 5.2.5 has none of them.
"""

from moto.core.responses import ActionResult
from moto.ecs.exceptions import ServiceNotFoundException
from moto.ecs.responses import EC2ContainerServiceResponse

from embedded_endpoint.gaps import circuit_breaker, errors
from embedded_endpoint.gaps.deployment_history import STOPPABLE, UNDER_WAY, history_of
from embedded_endpoint.gaps.patching import replace

STOPPED_BY_USER = "Service deployment rolled back because of a user request."


@replace(EC2ContainerServiceResponse, "list_service_deployments")
def _list(original, self):
    backend = self.ecs_backend
    service = backend._get_service(self._get_param("cluster", "default"), self._get_param("service"))
    if service.status == "INACTIVE":  # "Amazon ECS deletes the service deployments when you delete a service"
        raise ServiceNotFoundException
    wanted = self._get_param("status", [])
    found = [each for each in history_of(service) if not wanted or each.status in wanted]
    start, size = int(self._get_param("nextToken") or 0), self._get_int_param("maxResults") or 20
    result = {"serviceDeployments": found[start : start + size]}
    if len(found) > start + size:
        result["nextToken"] = str(start + size)
    return ActionResult(result)


@replace(EC2ContainerServiceResponse, "describe_service_deployments")
def _describe(original, self):
    asked = _at_most_20(self._get_param("serviceDeploymentArns", []))
    known = {record.service_deployment_arn: record for _service, record in _records(self.ecs_backend)}
    return ActionResult({"serviceDeployments": _found(asked, known), "failures": _failures(asked, known)})


@replace(EC2ContainerServiceResponse, "stop_service_deployment")
def _stop(original, self):
    arn, kind = self._get_param("serviceDeploymentArn"), self._get_param("stopType") or "ROLLBACK"
    service, record = next(
        ((s, r) for s, r in _records(self.ecs_backend) if r.service_deployment_arn == arn), (None, None)
    )
    if record is None:
        raise errors.named("ServiceDeploymentNotFoundException", "Service deployment not found.")
    if kind != "ROLLBACK":
        raise errors.invalid(f"The local endpoint stops a service deployment by ROLLBACK only, not by {kind}.")
    # Which states may be stopped is documented, the wordings of the refusals could not be looked up:
    # https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stop-service-deployment.html
    if record.status in STOPPABLE:
        deployment = next((each for each in service.deployments if each.record is record), None)
        if deployment is None or not circuit_breaker.roll_back(
            self.ecs_backend, service, deployment, STOPPED_BY_USER, "ECS deployment was stopped by a user"
        ):
            raise errors.named("ConflictException", "There is no completed service deployment to roll back to.")
        deployment.rollout_state = "FAILED"
        deployment.rollout_state_reason = STOPPED_BY_USER
        service.steady = False
    elif record.status not in UNDER_WAY:
        raise errors.named("ConflictException", f"Service deployment is in state {record.status} and can't be stopped.")
    return ActionResult({"serviceDeploymentArn": arn})


def _records(backend):
    return [(s, r) for s in backend.services.values() if s.status != "INACTIVE" for r in history_of(s)]


def _at_most_20(arns):
    if not arns or len(arns) > 20:
        raise errors.invalid("You must specify 1 to 20 ARNs.")
    return arns


def _found(asked, known):
    return [known[arn] for arn in asked if arn in known]


def _failures(asked, known):
    return [{"arn": arn, "reason": "MISSING"} for arn in asked if arn not in known]
