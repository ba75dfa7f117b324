# SPDX-License-Identifier: GPL-3.0-or-later
"""A CodeBuild and a CodePipeline that run what a test tells them, and answer as AWS documents it.

No endpoint runs builds, so these stories are told to the modules here. Requests and answers are held against the SDK's
service models. Use: `with fake.answering() as calls`.
"""

from __future__ import annotations

import contextlib
import itertools
from datetime import datetime, timedelta, timezone
from typing import Any

import botocore.session
from botocore.validate import ParamValidator
from modules.aws_calls import error, recorded

BEGAN = datetime(2026, 11, 22, 9, tzinfo=timezone.utc)
SESSION = botocore.session.Session()
OPERATIONS = {
    "codebuild": ("BatchGetProjects", "ListBuildsForProject", "BatchGetBuilds", "StartBuild"),
    "logs": ("GetLogEvents",),
    "codepipeline": (
        "GetPipeline", "ListTagsForResource", "ListPipelineExecutions", "StartPipelineExecution", "GetPipelineExecution",
        "ListActionExecutions", "GetPipelineState",
    ),
    "ecs": ("DescribeServices", "DescribeTaskDefinition", "ListTasks", "DescribeTasks"),
}  # fmt: skip
WRITES = ("StartBuild", "StartPipelineExecution")


def fits(service: str, operation: str, side: str, value: dict[str, Any]) -> None:
    """Raise AssertionError where the SDK's model knows no such request (`input`) or answer (`output`)."""
    shape = getattr(SESSION.get_service_model(service).operation_model(operation), f"{side}_shape")
    faults = ParamValidator().validate(value, shape).generate_report().splitlines()
    if side == "output":  # an empty list is an answer, whatever length the model asks of it in a request
        faults = [f for f in faults if "Invalid length" not in f]
    assert not faults, f"{operation} {side}: {faults}"
    unknown = set(value) - set(shape.members)
    assert not unknown, f"{operation} {side} has no {unknown}"


def throttled(times: int) -> list[Exception]:
    return [error("ThrottlingException", "Rate exceeded") for _ in range(times)]


class Fake:
    """Answers with the methods that are named like the operations. `errors` are raised first, by operation."""

    services: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.errors: dict[str, list[Exception]] = {}

    def parts(self) -> list[Fake]:
        return [self]

    @contextlib.contextmanager
    def answering(self):
        answers = {}
        for part in self.parts():
            for service in part.services:
                for operation in OPERATIONS[service]:
                    if hasattr(part, operation):
                        answers[operation] = part._answer(service, operation)
        with recorded(**answers) as calls:
            yield calls

    def _answer(self, service, operation):
        def call(_real, parameters):
            fits(service, operation, "input", parameters)
            if self.errors.get(operation):
                raise self.errors[operation].pop(0)
            answer = getattr(self, operation)(**parameters)
            fits(service, operation, "output", answer)
            return answer

        return call


# --- CodeBuild --------------------------------------------------------------------------------------------------------


def phase(kind, status=None, seconds=None, code="", message=""):
    """A phase as BatchGetBuilds gives it. One without a status runs."""
    out = {"phaseType": kind, "contexts": [{"statusCode": code, "message": message}]}
    return out | ({"phaseStatus": status, "durationInSeconds": seconds or 0} if status else {})


def step(*phases, log=(), status="IN_PROGRESS", stream=True):
    """What a build has come to at a look: its phases, new lines of its log, and whether its stream is there."""
    return {"phases": list(phases), "log": list(log), "status": status, "stream": stream}


EARLY = (phase("SUBMITTED", "SUCCEEDED"), phase("QUEUED", "SUCCEEDED", 1), phase("PROVISIONING", "SUCCEEDED", 8))
FETCHED = (*EARLY, phase("DOWNLOAD_SOURCE", "SUCCEEDED", 3), phase("PRE_BUILD", "SUCCEEDED", 4))
GOOD = [
    step(phase("SUBMITTED", "SUCCEEDED"), phase("QUEUED"), stream=False),
    step(*EARLY, phase("DOWNLOAD_SOURCE"), log=["[Container] Waiting for agent ping\n"]),
    step(*FETCHED, phase("BUILD"), log=["[Container] Running command mvn clean package\n", "Tests run: 3, Failures: 0\n"]),
    step(*FETCHED, phase("BUILD", "SUCCEEDED", 62), phase("POST_BUILD"), log=["docker push\n"]),
    step(
        *FETCHED,
        phase("BUILD", "SUCCEEDED", 62),
        phase("POST_BUILD", "SUCCEEDED", 9),
        phase("UPLOAD_ARTIFACTS", "SUCCEEDED", 1),
        {"phaseType": "COMPLETED"},
        log=["Phase complete: UPLOAD_ARTIFACTS State: SUCCEEDED\n"],
        status="SUCCEEDED",
    ),
]
MVN = "Error while executing command: mvn clean package. Reason: exit status 1"
FAILING_TEST = [
    *GOOD[:3],
    step(
        *FETCHED,
        phase("BUILD", "FAILED", 41, "COMMAND_EXECUTION_ERROR", MVN),
        phase("POST_BUILD", "FAILED", 0, "COMMAND_EXECUTION_ERROR", "Error while executing command: docker push"),
        {"phaseType": "COMPLETED"},
        log=["[ERROR] Tests run: 4, Failures: 1\n", "[ERROR] BUILD FAILURE\n"],
        status="FAILED",
    ),
]


class FakeCodeBuild(Fake):
    services = ("codebuild", "logs")

    def __init__(self, project="petclinic-rest-build", tags=None, environment=()):
        super().__init__()
        self.project, self.tags, self.environment = project, tags or {}, list(environment)
        self.steps = GOOD
        self.buildspec = "version: 0.2\n"
        self.webhook: dict[str, Any] = {}
        self.exported = {"IMAGE_URI": "petclinic-rest:5f3c", "IMAGE_DIGEST": "sha256:abc"}
        self.builds: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, list[str]] = {}
        self.streams: set[str] = set()
        self.late = 0  # looks at a log after which the lines of a look show
        self._coming: dict[str, list[dict[str, Any]]] = {}
        self._tokens: dict[str, str] = {}
        self._numbers = itertools.count(1)

    def put(self, steps, initiator="somebody", version="refs/heads/master"):
        """Make a build that runs, and return its id."""
        number = next(self._numbers)
        build_id = f"{self.project}:{number:08x}"
        self.builds[build_id] = {
            "id": build_id,
            "projectName": self.project,
            "buildNumber": number,
            "buildStatus": "IN_PROGRESS",
            "currentPhase": "SUBMITTED",
            "sourceVersion": version,
            "initiator": initiator,
            "source": {"type": "GITHUB", "location": "https://canary-of-a-url@github.com/somebody/petclinic-rest.git", "buildspec": self.buildspec},
            "environment": {
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/standard:7.0",
                "computeType": "BUILD_GENERAL1_SMALL",
                "environmentVariables": self.environment,
            },
            "logs": {},
            "phases": [],
        }
        self.logs[build_id], self._coming[build_id] = [], list(steps)
        return build_id

    def finish(self, build_id):
        while self._coming[build_id]:
            self._advance(build_id)

    def _advance(self, build_id):
        if not self._coming[build_id]:
            return
        now, build = self._coming[build_id].pop(0), self.builds[build_id]
        build.update(phases=now["phases"], buildStatus=now["status"], currentPhase=now["phases"][-1]["phaseType"])
        build["buildComplete"] = now["status"] != "IN_PROGRESS"
        build["logs"] = {"groupName": "/aws/codebuild/x", "streamName": build_id.split(":")[1], "deepLink": "https://logs"}
        if now["stream"]:
            self.streams.add(build_id)
        self.logs[build_id] += now["log"]
        if now["status"] == "SUCCEEDED":
            build["exportedEnvironmentVariables"] = [{"name": k, "value": v} for k, v in self.exported.items()]
            build["resolvedSourceVersion"] = "5f3c0c1d"

    def BatchGetProjects(self, names):
        if names != [self.project]:
            return {"projects": [], "projectsNotFound": names}
        tags = [{"key": k, "value": v} for k, v in self.tags.items()]
        return {"projects": [{"name": self.project, "tags": tags, "sourceVersion": "master", "webhook": self.webhook}]}

    def ListBuildsForProject(self, projectName, sortOrder):
        assert projectName == self.project and sortOrder == "DESCENDING"
        return {"ids": list(self.builds)[::-1]}

    def BatchGetBuilds(self, ids):
        found = [i for i in ids if i in self.builds]
        for build_id in found:
            self._advance(build_id)
        return {"builds": [dict(self.builds[i]) for i in found], "buildsNotFound": [i for i in ids if i not in found]}

    def StartBuild(self, projectName, idempotencyToken, sourceVersion="refs/heads/master"):
        assert projectName == self.project
        if idempotencyToken not in self._tokens:
            self._tokens[idempotencyToken] = self.put(self.steps, version=sourceVersion)
        return {"build": dict(self.builds[self._tokens[idempotencyToken]])}

    def GetLogEvents(self, logGroupName, logStreamName, startFromHead=False, nextToken="f/0", limit=10000):
        build_id = f"{self.project}:{logStreamName}"
        if build_id not in self.streams or self.late > 0:
            self.late -= 1
            raise error("ResourceNotFoundException", "The specified log stream does not exist.")
        lines, start = self.logs[build_id], int(nextToken[2:])
        if not startFromHead:
            start = max(0, len(lines) - limit)
        page = lines[start : start + min(limit, 2 if startFromHead else limit)]
        events = [{"timestamp": 1, "message": m, "ingestionTime": 2} for m in page]
        return {"events": events, "nextForwardToken": f"f/{start + len(page)}", "nextBackwardToken": "b/0"}


# --- CodePipeline -----------------------------------------------------------------------------------------------------

SOURCE = ("Source", "Source", "Source", "CodeStarSourceConnection")
BUILD = ("Build", "Build", "Build", "CodeBuild")
APPROVE = ("Approve", "Approve", "Approval", "Manual")
DEPLOY = ("Deploy", "Deploy", "Deploy", "ECS")
CLUSTER, SERVICE = "petclinic-rest-cluster", "petclinic-rest-service"
CONFIGURATION = {
    "Build": {"ProjectName": "petclinic-rest-build", "EnvironmentVariables": "canary-of-an-action"},
    "Deploy": {"ClusterName": CLUSTER, "ServiceName": SERVICE},
    "Approve": {"CustomData": "Look at the test report", "ExternalEntityLink": "https://report"},
}


def act(kind, status="InProgress", summary="", code="", message="", external=""):
    """An action at a look."""
    return {"kind": kind, "status": status, "summary": summary, "code": code, "message": message, "external": external}


def look(*actions, status="InProgress", summary=""):
    """What an execution has come to at a look."""
    return {"actions": list(actions), "status": status, "summary": summary}


S_OK = act(SOURCE, "Succeeded", '{"CommitMessage":"Test"}')
B_OK = act(BUILD, "Succeeded")
D_OK = act(DEPLOY, "Succeeded", "Deployment completed.")
BUILD_FAILED = f"Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: {MVN}"
GOOD_RUN = [look(), look(act(SOURCE)), look(S_OK, act(BUILD)), look(S_OK, B_OK, act(DEPLOY)), look(S_OK, B_OK, D_OK, status="Succeeded")]
BUILD_FAILS = [*GOOD_RUN[:3], look(S_OK, act(BUILD, "Failed", code="JobFailed", message=BUILD_FAILED), status="Failed")]
WRONG_NAME = "The AWS ECS container petclinic-rest does not exist"
WRONG_CONTAINER = [
    *GOOD_RUN[:4],
    look(S_OK, B_OK, act(DEPLOY, "Failed", code="ConfigurationError", message=WRONG_NAME), status="Failed"),
]


class FakeCodePipeline(Fake):
    services = ("codepipeline", "ecs")

    def __init__(self, name="petclinic-rest-codepipeline", tags=None, variables=("DRILL",), codebuild=None):
        super().__init__()
        self.name, self.tags, self.variables = name, tags or {}, variables
        self.codebuild = codebuild or FakeCodeBuild()
        self.runs = {"none": GOOD_RUN}  # what an execution does, by the value of DRILL
        self.build_steps = {"none": GOOD}
        self.executions: dict[str, dict[str, Any]] = {}
        self.state: dict[str, Any] = {"pipelineName": name, "stageStates": []}
        self.reason = None
        self.events: list[dict[str, Any]] = []
        self.stopped: list[dict[str, Any]] = []
        self.revision = 6
        self.injected = lambda: "none"  # what a drill has put into the build project, for an execution without DRILL
        self.deploys = lambda: None  # what happens where a deployment succeeds
        self._tokens: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self.epoch, self.clock = BEGAN, itertools.count(0, 10)

    def parts(self):
        return [self, self.codebuild]

    def put(self, looks, drill="none", trigger="WebhookV2"):
        """Make an execution that runs, and return its id."""
        execution_id = f"execution-{next(self._numbers)}"
        self.executions[execution_id] = {"looks": list(looks), "now": look(), "drill": drill, "trigger": trigger, "began": {}, "ended": {}}
        return execution_id

    def _advance(self, execution_id):
        e = self.executions[execution_id]
        if not e["looks"]:
            return
        e["now"] = e["looks"].pop(0)
        for action in e["now"]["actions"]:
            name = action["kind"][1]
            if name not in e["began"]:
                e["began"][name] = self.epoch + timedelta(seconds=next(self.clock))
            if action["kind"] == BUILD and "build" not in e:
                steps = self.build_steps.get(e["drill"], GOOD)
                e["build"] = self.codebuild.put(steps, initiator=f"codepipeline/{self.name}")
                self.codebuild.finish(e["build"])
            if action["status"] != "InProgress" and name not in e["ended"]:
                e["ended"][name] = self.epoch + timedelta(seconds=next(self.clock))
                if action["kind"] == DEPLOY and action["status"] == "Succeeded" and "revision" not in e:
                    self.revision += 1
                    e["revision"] = self.revision
                    self.registered = e["began"][name] + timedelta(seconds=1)
                    self.deploys()

    def GetPipeline(self, name):
        if name != self.name:
            raise error("PipelineNotFoundException", f"Account has no pipeline {name}")
        variables = [{"name": v, "defaultValue": "none"} for v in self.variables]
        pipeline = {"name": name, "roleArn": "arn:aws:iam::123456789012:role/x", "stages": [], "variables": variables}
        return {"pipeline": pipeline, "metadata": {"pipelineArn": f"arn:aws:codepipeline:x:123456789012:{name}"}}

    def ListTagsForResource(self, resourceArn):
        return {"tags": [{"key": k, "value": v} for k, v in self.tags.items()]}

    def ListPipelineExecutions(self, pipelineName, maxResults):
        out = []
        for execution_id, e in reversed(self.executions.items()):
            summary = {"pipelineExecutionId": execution_id, "status": e["now"]["status"]}
            out.append(summary | ({"stopTrigger": {"reason": self.reason}} if self.reason else {}))
        return {"pipelineExecutionSummaries": out}

    def StartPipelineExecution(self, name, clientRequestToken, variables=()):
        assert name == self.name
        drill = next((v["value"] for v in variables if v["name"] == "DRILL"), self.injected())
        if clientRequestToken not in self._tokens:
            self._tokens[clientRequestToken] = self.put(self.runs[drill], drill, "StartPipelineExecution")
        return {"pipelineExecutionId": self._tokens[clientRequestToken]}

    def GetPipelineExecution(self, pipelineName, pipelineExecutionId):
        if pipelineExecutionId not in self.executions:
            raise error("PipelineExecutionNotFoundException", "none")
        self._advance(pipelineExecutionId)
        e = self.executions[pipelineExecutionId]
        out = {"pipelineName": pipelineName, "pipelineExecutionId": pipelineExecutionId, "status": e["now"]["status"]}
        out["variables"] = [{"name": v, "resolvedValue": e["drill"]} for v in self.variables]
        return {"pipelineExecution": out | ({"statusSummary": e["now"]["summary"]} if e["now"]["summary"] else {})}

    def ListActionExecutions(self, pipelineName, filter, nextToken="0"):
        execution_id = filter["pipelineExecutionId"]
        e, details = self.executions[execution_id], []
        for action in e["now"]["actions"]:
            stage, name, category, provider = action["kind"]
            result: dict[str, Any] = {"externalExecutionUrl": f"https://canary-of-a-url@example.com/{name}"}
            if action["summary"]:
                result["externalExecutionSummary"] = action["summary"]
            if action["code"]:
                result["errorDetails"] = {"code": action["code"], "message": action["message"]}
            if name == "Build":
                result["externalExecutionId"] = e["build"]
            details.append(
                {
                    "pipelineExecutionId": execution_id,
                    "actionExecutionId": f"{execution_id}-{name}",
                    "stageName": stage,
                    "actionName": name,
                    "startTime": e["began"][name],
                    "lastUpdateTime": e["ended"].get(name, e["began"][name]),
                    "status": action["status"],
                    "input": {
                        "actionTypeId": {"category": category, "owner": "AWS", "provider": provider, "version": "1"},
                        "configuration": CONFIGURATION.get(name, {}),
                    },
                    "output": {"executionResult": result},
                }
            )
        newest_first, start = details[::-1], int(nextToken)
        page = {"actionExecutionDetails": newest_first[start : start + 2]}
        return page | ({"nextToken": str(start + 2)} if newest_first[start + 2 :] else {})

    def GetPipelineState(self, name):
        return self.state

    # --- the service that is deployed to ---

    def DescribeServices(self, cluster, services):
        assert (cluster, services) == (CLUSTER, [SERVICE])
        arn = f"arn:aws:ecs:x:123456789012:task-definition/petclinic-rest-task:{self.revision}"
        return {"services": [{"serviceName": SERVICE, "taskDefinition": arn, "events": self.events}]}

    def DescribeTaskDefinition(self, taskDefinition):
        container = {"name": "petclinic-rest-app", "image": "petclinic-rest:5f3c" if self.revision > 6 else "petclinic-rest:old"}
        registered = getattr(self, "registered", BEGAN - timedelta(days=1))
        return {"taskDefinition": {"containerDefinitions": [container], "registeredAt": registered}}

    def ListTasks(self, cluster, serviceName, desiredStatus):
        return {"taskArns": [t["taskArn"] for t in self.stopped]}

    def DescribeTasks(self, cluster, tasks):
        return {"tasks": self.stopped}
