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
    rolled_back,
    rolls_back,
    settled_events,
)

#: How often to look for a roll-back after the failure that leads to it.
ROLLBACK_LOOKS = 2
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
        self._old: set[str] = set()  # events from before our deployment
        self._seen: set[str] = set()  # events that were shown
        self._deployment: str | None = None
        self._made = False
        self._revision: str | None = None  # its task definition's family:revision
        self._lines: list[str] = []
        #: The service as it was seen last, or None where nothing was waited for.
        self.latest: dict[str, Any] | None = None

    def say(self, line: str) -> None:
        self._progress.say(line)

    def follow(self, service: dict[str, Any], seen: set[str], made: bool = True) -> None:
        """Remember which deployment is ours, which events are older, and whether this run `made` it."""
        self._old, self._seen = set(seen), set(seen)
        self._made = made
        self._deployment = primary(service).get("id")
        self._revision = revision(primary(service).get("taskDefinition") or service.get("taskDefinition"))

    def wait(self, service: dict[str, Any]) -> list[str]:
        """Wait until the service is steady; return what ECS said meanwhile, oldest first.

        A service that is steady already costs no call. Raises ResourceError with the causes when the deployment fails
        or the time is over. Where ECS rolls back, that is waited for too: the next run then finds a service at rest.
        """
        if self._deployment is None:
            if is_steady(service):
                return []
            self.follow(service, settled_events(service), made=False)
        deadline = time.monotonic() + self._params["wait_timeout"]
        counts = failure = None
        looks = 0
        while True:
            self._show(service)
            self.latest = service
            if failure is None:
                reason = failed_reason(service, self._deployment)
                if reason:
                    # Asked for now, since the targets of failed tasks do not stay.
                    failure = (reason, self._causes(service))
                    # ECS may tell of the failure a moment before it tells of the roll-back.
                    looks = ROLLBACK_LOOKS if rolls_back(service) else 0
            if failure:
                back = rolled_back(service, self._deployment)
                if not back:
                    looks -= 1
                if (back and is_steady(service)) or looks < 0:
                    raise self._failure(service, *failure)
            elif is_steady(service):
                return self._lines
            now = (service.get("runningCount"), service.get("desiredCount"), service.get("pendingCount"))
            if now != counts:
                self.say(f"{now[0]} of {now[1]} tasks running, {now[2]} pending")
                counts = now
            if time.monotonic() >= deadline:
                if failure:
                    raise self._failure(service, *failure)
                raise self._failure(service, None, self._causes(service))
            time.sleep(self._params["wait_interval"])
            service = self._describe()

    def _describe(self) -> dict[str, Any]:
        answer = self._client("ecs").describe_services(cluster=self._params["cluster"], services=[self._params["name"]])
        if not answer["services"] or answer["services"][0]["status"] == "INACTIVE":
            raise ResourceError(
                f"The service {self._params['name']!r} was deleted while its deployment was waited for."
            )
        return answer["services"][0]

    def _show(self, service: dict[str, Any]) -> None:
        for event in new_events(service, self._seen):
            self._seen.add(event["id"])
            self._lines.append(event["message"])
            self.say(f"{event['createdAt'].astimezone():%H:%M:%S} {event['message']}")

    def _failure(self, service: dict[str, Any], reason: str | None, causes: list[diagnosis.Cause]) -> ResourceError:
        """Put what is known into words. `reason` is why the deployment failed, None where the time was over."""
        name, running = self._params["name"], revision(service.get("taskDefinition"))
        if reason:
            text = f"The deployment of {self._revision} to the service {name!r} failed: {reason}"
        else:
            text = f"The service {name!r} is not steady after {self._params['wait_timeout']} s."
        if causes:
            text += "\n" + "\n".join(f"- {cause}" for cause in causes)
        else:
            text += " ECS names no cause. Its events are below."
        counts = f"{service.get('runningCount')} of {service.get('desiredCount')} tasks running"
        back = rolled_back(service, self._deployment)
        if back:
            text += f"\nECS rolled back: the service uses {running} again, with {counts}. "
            text += "Mend the cause and run again: "
            if running == self._revision:
                text += (
                    "the run deploys what the image's tag names once more. To stay with the image of before until "
                    "then, set service_follow_tag to false."
                )
            else:
                text += (
                    f"the run deploys the newest revision once more. To stay with {running} until then, set "
                    "service_task_definition to keep."
                )
        else:
            text += (
                f"\nThe service uses {running} with {counts}. Mend the cause and run again: the run goes on from here."
            )
        error = ResourceError(text)
        error.details = {
            "changed": self._made,
            "causes": [{"problem": c.problem, "remedy": c.remedy} for c in causes],
            "events": self._lines[-10:],
            "rolled_back_to": running if back else None,
        }
        return error

    def _causes(self, service: dict[str, Any]) -> list[diagnosis.Cause]:
        """Ask for stopped tasks and target health. What may not be read is no reason to hide the rest."""
        tasks = self._read(self._stopped_tasks) or []
        causes = diagnosis.from_stopped_tasks(tasks, self._read(lambda: self._log_groups(tasks)))
        for balancer in service.get("loadBalancers") or []:
            arn = balancer.get("targetGroupArn")
            if arn:
                health = self._read(lambda arn=arn: self._client("elbv2").describe_target_health(TargetGroupArn=arn))
                causes += diagnosis.from_targets((health or {}).get("TargetHealthDescriptions") or [])
        return causes + diagnosis.from_events(reversed(new_events(service, self._old)))

    def _stopped_tasks(self) -> list[dict[str, Any]]:
        """Return the stopped tasks of our deployment, newest first.

        ECS keeps them for an hour, so those of earlier deployments are there too.
        """
        ecs, cluster = self._client("ecs"), self._params["cluster"]
        # ListTasks takes startedBy only without any other filter, and desiredStatus is one.
        arns = ecs.list_tasks(cluster=cluster, serviceName=self._params["name"], desiredStatus="STOPPED")["taskArns"]
        tasks = ecs.describe_tasks(cluster=cluster, tasks=arns[:100])["tasks"] if arns else []
        mine = [t for t in tasks if t.get("startedBy") == self._deployment]
        return sorted(mine, key=lambda t: str(t.get("stoppedAt") or ""), reverse=True)

    def _log_groups(self, tasks: list[dict[str, Any]]) -> dict[str, str]:
        """Return {container: log group} of the first task in which a program ended; no call where none did."""
        ended = [t for t in tasks if any(c.get("exitCode") is not None for c in t.get("containers") or [])]
        if not ended:
            return {}
        arn = ended[0]["taskDefinitionArn"]
        found = self._client("ecs").describe_task_definition(taskDefinition=arn)["taskDefinition"]
        options = {
            c["name"]: (c.get("logConfiguration") or {}).get("options") or {} for c in found["containerDefinitions"]
        }
        return {name: o["awslogs-group"] for name, o in options.items() if o.get("awslogs-group")}

    @staticmethod
    def _read(call: Callable[[], Any]) -> Any:
        try:
            return call()
        except is_boto3_error_code(list(READABLE)):
            return None
