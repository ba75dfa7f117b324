# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""DescribeServiceRevisions, and currentServiceRevisions of DescribeServices. moto 5.2.5 has neither."""

from moto.core.responses import ActionResult
from moto.ecs.models import Service
from moto.ecs.responses import EC2ContainerServiceResponse

from embedded_endpoint.gaps import errors
from embedded_endpoint.gaps.patching import replace

MOST = 20  # ARNs in one call


def _current(self) -> list[dict]:
    """One for each deployment that has tasks or is to have some; the order is not documented."""
    return [
        {
            "arn": deployment.revision.service_revision_arn,
            "requestedTaskCount": deployment.desired_count,
            "runningTaskCount": deployment.running_count,
            "pendingTaskCount": deployment.pending_count,
        }
        for deployment in self.deployments
        if hasattr(deployment, "revision")
    ]


Service.current_service_revisions = property(_current)


@replace(EC2ContainerServiceResponse, "describe_service_revisions")
def _describe(original, self):
    arns = self._get_param("serviceRevisionArns", [])
    if not arns:
        raise errors.invalid("Service revision ARNs cannot be empty.")
    if len(arns) > MOST:
        raise errors.invalid(f"You may only specify up to {MOST} service revisions.")
    known = {}
    for service in self.ecs_backend.services.values():
        known |= service.revisions
    return ActionResult(
        {
            "serviceRevisions": [known[arn] for arn in arns if arn in known],
            "failures": [{"arn": arn, "reason": "MISSING"} for arn in arns if arn not in known],
        }
    )
