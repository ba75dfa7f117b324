# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow a deployment until the service is steady, and say why where it never is."""

from __future__ import annotations

import time
from typing import Any, Callable

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ansible_collections.handson.ecs.plugins.module_utils import diagnosis
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError
from ansible_collections.handson.ecs.plugins.module_utils.services import (
    failed_reason,
    is_steady,
    new_events,
    primary,
    revision,
)

READABLE = ("AccessDeniedException", "AccessDenied", "ClientException", "InvalidParameterException")


class Rollout:
    """One deployment of one service.

    `client` gives a boto3 client by service name. `params` are the module's options: name, cluster, wait_timeout,
    wait_interval (seconds), progress_file.
    """

    def __init__(self, client: Callable[[str], Any], params: dict[str, Any]) -> None:
        self._client = client
        self._params = params
        self._progress = Progress(params.get("progress_file"))
        self._seen: set[str] = set()
        self._deployment: str | None = None
        self._lines: list[str] = []
        #: The service as it was seen last, or None where nothing was waited for.
        self.latest: dict[str, Any] | None = None

    def say(self, line: str) -> None:
        self._progress.say(line)

    def follow(self, service: dict[str, Any], seen: set[str]) -> None:
        """Remember which deployment is ours and which events are older than it."""
        self._deployment = primary(service).get("id")
        self._seen = seen

    def wait(self, service: dict[str, Any]) -> list[str]:
        """Wait until the service is steady; return what ECS said meanwhile, oldest first.

        A service that is steady already costs no call. Raises ResourceError with the causes when the deployment fails
        or the time is over.
        """
        if self._deployment is None:
            self._deployment = primary(service).get("id")
            if is_steady(service):
                return []
        deadline = time.monotonic() + self._params["wait_timeout"]
        counts = None
        while True:
            self._show(service)
            self.latest = service
            reason = failed_reason(service, self._deployment)
            if reason:
                raise self._failure(service, f"the deployment failed. {reason}")
            if is_steady(service):
                return self._lines
            now = (service.get("runningCount"), service.get("desiredCount"), service.get("pendingCount"))
            if now != counts:
                self.say(f"{now[0]} of {now[1]} tasks running, {now[2]} pending")
                counts = now
            if time.monotonic() >= deadline:
                raise self._failure(service, f"not steady after {self._params['wait_timeout']} s.")
            time.sleep(self._params["wait_interval"])
            service = self._describe()

    def _describe(self) -> dict[str, Any]:
        answer = self._client("ecs").describe_services(cluster=self._params["cluster"], services=[self._params["name"]])
        if not answer["services"] or answer["services"][0]["status"] == "INACTIVE":
            raise ResourceError(f"The service {self._params['name']!r} was deleted while its deployment was waited for.")
        return answer["services"][0]

    def _show(self, service: dict[str, Any]) -> None:
        for event in new_events(service, self._seen):
            self._seen.add(event["id"])
            self._lines.append(event["message"])
            self.say(f"{event['createdAt'].astimezone():%H:%M:%S} {event['message']}")

    def _failure(self, service: dict[str, Any], what: str) -> ResourceError:
        causes = self._causes(service)
        text = f"The service {self._params['name']!r} is not in a steady state: {what}"
        if causes:
            text += "\n" + "\n".join(f"- {cause}" for cause in causes)
        else:
            text += " ECS names no cause. Its events are below."
        running = revision(service.get("taskDefinition"))
        text += (
            f"\nThe service uses {running} with {service.get('runningCount')} of {service.get('desiredCount')} tasks "
            "running. Mend the cause and run again: the run goes on from here."
        )
        error = ResourceError(text)
        error.details = {
            "causes": [{"problem": c.problem, "remedy": c.remedy} for c in causes],
            "events": self._lines[-10:],
        }
        return error

    def _causes(self, service: dict[str, Any]) -> list[diagnosis.Cause]:
        """Ask for stopped tasks and target health. What may not be read is no reason to hide the rest."""
        causes = diagnosis.from_stopped_tasks(self._read(self._stopped_tasks) or [])
        for balancer in service.get("loadBalancers") or []:
            arn = balancer.get("targetGroupArn")
            if arn:
                health = self._read(lambda arn=arn: self._client("elbv2").describe_target_health(TargetGroupArn=arn))
                causes += diagnosis.from_targets((health or {}).get("TargetHealthDescriptions") or [])
        return causes + diagnosis.from_events((service.get("events") or [])[:20])

    def _stopped_tasks(self) -> list[dict[str, Any]]:
        ecs, cluster = self._client("ecs"), self._params["cluster"]
        arns = ecs.list_tasks(cluster=cluster, serviceName=self._params["name"], desiredStatus="STOPPED")["taskArns"]
        return ecs.describe_tasks(cluster=cluster, tasks=arns[:100])["tasks"] if arns else []

    @staticmethod
    def _read(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except is_boto3_error_code(list(READABLE)):
            return None
