# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follow a build of CodeBuild by its phases and its log, and say which phase failed and why."""

from __future__ import annotations

import re
import time
from typing import Any, Callable, Iterable, Mapping

try:
    from botocore.exceptions import ClientError, ConnectionError, HTTPClientError
except ImportError:  # AnsibleAWSModule reports the missing library in its own words
    ClientError = ConnectionError = HTTPClientError = Exception

from ansible_collections.handson.ecs.plugins.module_utils.build_remedies import remedy
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import ResourceError
from ansible_collections.handson.ecs.plugins.module_utils.secrets import (
    CREDENTIALS_IN_URL,
    TOKENS,
    looks_secret,
)

#: What CodeBuild says while IAM spreads a new role.
ROLE_NOT_YET = ("is not authorized to perform: sts:AssumeRole",)
#: Errors that pass by themselves: no reason to leave a build or an execution that goes on without us.
PASSING = (
    "Throttling", "ThrottlingException", "ThrottledException", "TooManyRequestsException", "RequestLimitExceeded",
    "ServiceUnavailable", "ServiceUnavailableException", "InternalFailure", "InternalServerError",
    "InternalServiceException", "RequestTimeout", "RequestTimeoutException",
)  # fmt: skip
#: How many of the log's last lines a failure repeats.
LAST_LINES = 20
#: Looks at the log of a build that has ended, since its last lines come some seconds later than its status.
LAST_LOOKS = 5
#: Pages of a log at one look. A page holds up to 10,000 lines; the rest comes at the next look.
PAGES = 20
LONGEST_LINE = 500

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1b[@-_]|[\x00-\x08\x0b-\x1f\x7f]")
_DRILL = re.compile(r"# A drill \((playbooks/\w+\.yml)\)")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_ASSIGNED = re.compile(r"(?<![\w$])([A-Za-z_]\w*)=(\S+)")


# --- text -------------------------------------------------------------------------------------------------------------


def masker(variables: Iterable[Mapping[str, Any]] = ()) -> Callable[[str], str]:
    """Return a function that takes secrets out of a line that is to be shown.

    CodeBuild itself puts `***` for values from Secrets Manager and the parameter store. What it does not know of is
    done here: values of plain variables whose names say secret (`variables` as BatchGetBuilds gives them), assignments
    to such names, credentials in URLs, and tokens of GitHub and GitLab by their form.
    """
    plain = {
        part.strip()
        for v in variables
        if v.get("type", "PLAINTEXT") == "PLAINTEXT" and looks_secret(v["name"])
        for part in str(v.get("value") or "").splitlines()
    }
    # Who masks `a` masks every line; the longest first, since one may be the beginning of another.
    values = sorted((v for v in plain if len(v) >= 4), key=len, reverse=True)

    def mask(text: str) -> str:
        for value in values:
            text = text.replace(value, "***")
        text = TOKENS.sub("***", CREDENTIALS_IN_URL.sub("***", text))
        return _ASSIGNED.sub(lambda m: f"{m[1]}=***" if looks_secret(m[1]) else m[0], text)

    return mask


def log_lines(message: str) -> list[str]:
    """Return the lines of one log event, fit for a terminal: no escapes, of a progress bar only its last state."""
    lines = []
    for line in message.rstrip("\r\n").split("\n"):
        line = _ESCAPES.sub("", line.rstrip("\r").rsplit("\r", 1)[-1].replace("\t", "    ")).rstrip()
        lines.append(line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + " …")
    return lines


def refusal(error: Exception) -> str | None:
    """Return the sentence in which an embedded endpoint says that it can't do something, or None for any other error.

    HTTP 501 is what no AWS service answers with.
    """
    answer = getattr(error, "response", {})
    if answer.get("ResponseMetadata", {}).get("HTTPStatusCode") == 501 or answer.get("Error", {}).get("Code") in (
        "NotImplementedException",
        "NotImplemented",
    ):
        return answer["Error"].get("Message") or str(error)
    return None


def full(error: Exception) -> tuple[bool, str] | None:
    """Return (whether waiting helps, what to say) where StartBuild refuses for the account's limit, otherwise None.

    "Cannot have more than N builds in queue for the account": N is 0 in accounts that are new, and then no build ever
    starts until AWS raises it.
    """
    told = getattr(error, "response", {}).get("Error", {})
    if told.get("Code") != "AccountLimitExceededException":
        return None
    if "more than 0 builds" in told.get("Message", ""):
        return False, (
            f"This account may run no builds yet: {told['Message']}. AWS gives new accounts none. Ask for more in the console, "
            "Service Quotas, AWS CodeBuild, \"Concurrently running builds\" of the project's kind of compute "
            "(build_project_compute_type), or from AWS Support, and run again; everything else stays as it is. "
            "Until then an image can come from this machine: set image_context."
        )
    return True, f"The account runs as many builds as it may: {told.get('Message', '')}"


def console(region: str, path: str) -> str:
    """Return the URL of a page of AWS's console."""
    host = "console.aws.amazon.com"
    if region.startswith("cn-"):
        host = "console.amazonaws.cn"
    elif region.startswith("us-gov-"):
        host = "console.amazonaws-us-gov.com"
    return f"https://{region}.{host}/{path}"


class Patience:
    """Makes read calls while something is followed; lets errors pass that pass by themselves."""

    def __init__(self) -> None:
        #: The last such error, None as soon as a call worked.
        self.trouble: str | None = None

    def __call__(self, call: Callable[[], Any]) -> Any:
        """Return what `call` returns, or None where it failed for a while."""
        try:
            answer = call()
        except ClientError as e:
            if e.response.get("Error", {}).get("Code") not in PASSING:
                raise
            self.trouble = str(e)
            return None
        except (ConnectionError, HTTPClientError) as e:
            self.trouble = str(e)
            return None
        self.trouble = None
        return answer


# --- a build as BatchGetBuilds gives it -------------------------------------------------------------------------------


def phases(build: Mapping[str, Any], mask: Callable[[str], str] = str) -> list[dict[str, Any]]:
    """Return the phases so far as [{phase, status, seconds, message}], in their order."""
    return [
        {
            "phase": p["phaseType"],
            "status": p.get("phaseStatus"),
            "seconds": p.get("durationInSeconds"),
            "message": mask(context(p)) or None,
        }
        for p in build.get("phases") or []
        if p["phaseType"] != "COMPLETED"
    ]


def context(phase: Mapping[str, Any]) -> str:
    """Return what CodeBuild says of a phase: `COMMAND_EXECUTION_ERROR: Error while executing command: …`."""
    said = []
    for c in phase.get("contexts") or []:
        parts = [" ".join((c.get(key) or "").split()) for key in ("statusCode", "message")]
        said.append(": ".join(p for p in parts if p))
    return "; ".join(s for s in said if s)


def failed_phase(build: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the phase that failed first. After a failed BUILD, POST_BUILD runs and mostly fails, too."""
    ended = ("FAILED", "FAULT", "TIMED_OUT", "STOPPED")
    return next((p for p in build.get("phases") or [] if p.get("phaseStatus") in ended), None)


def is_over(build: Mapping[str, Any]) -> bool:
    """Whether a build has ended, well or not."""
    return bool(build.get("buildComplete")) or build.get("buildStatus", "IN_PROGRESS") != "IN_PROGRESS"


def of_a_pipeline(build: Mapping[str, Any]) -> bool:
    """Whether a pipeline started the build: then it is the pipeline's to follow."""
    return (build.get("initiator") or "").startswith("codepipeline/")


def to_follow(
    builds: Iterable[Mapping[str, Any]], source_version: str | None, project: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Return the newest running build that does what a new one would, or None.

    That is one that no pipeline started, of the same source version; without one, of the version that `project` (as
    BatchGetProjects gives it) names. A build of a pull request or of another branch makes another image.
    """
    own = _branch(project.get("sourceVersion"))
    wanted = _branch(source_version) or own
    pushed = wanted == own and _builds_pushes_to(own, project.get("webhook") or {})

    def same(build: Mapping[str, Any]) -> bool:
        version = build.get("sourceVersion")
        if (_branch(version) or own) == wanted or (wanted and wanted == build.get("resolvedSourceVersion")):
            return True
        # A push is built by its commit, and of which branch that is, only the webhook's filters say:
        # https://github.com/jlhood/github-codebuild-logs/issues/33, https://github.com/GitTools/GitVersion/pull/1841
        hooked = (build.get("initiator") or "").startswith("GitHub-Hookshot")
        return pushed and hooked and bool(_COMMIT.fullmatch(version or ""))

    running = [b for b in builds if not is_over(b) and not of_a_pipeline(b)]
    return max(filter(same, running), key=lambda b: b.get("buildNumber") or 0, default=None)


def _branch(version: str | None) -> str:
    """Return a source version as it is compared: `master` and `refs/heads/master` are the same, None is empty."""
    return (version or "").removeprefix("refs/heads/")


def _builds_pushes_to(branch: str, webhook: Mapping[str, Any]) -> bool:
    """Return whether a webhook starts builds of pushes to this branch and of nothing else."""
    groups = webhook.get("filterGroups") or []
    return bool(branch and groups) and all(_is_push_to(branch, group) for group in groups)


def _is_push_to(branch: str, group: Iterable[Mapping[str, Any]]) -> bool:
    events, heads = set(), set()
    for part in group:
        if part["type"] == "EVENT":
            events |= {e.strip() for e in part["pattern"].split(",")}
        elif part["type"] == "HEAD_REF" and not part.get("excludeMatchedPattern"):
            # A name with its special characters escaped, as the role build_project writes it.
            heads.add(re.sub(r"\\(.)", r"\1", part["pattern"]))
    return events == {"PUSH"} and f"^refs/heads/{branch}$" in heads


def exported(build: Mapping[str, Any], mask: Callable[[str], str] = str) -> dict[str, str]:
    """Return the variables that the buildspec exports. What has a secret's name keeps its name only."""
    found = build.get("exportedEnvironmentVariables") or []
    return {v["name"]: "***" if looks_secret(v["name"]) else mask(v.get("value") or "") for v in found if v.get("name")}


def describe(build: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a result tells of a build. Its environment and its source's address are no part of it."""
    mask = masker((build.get("environment") or {}).get("environmentVariables") or [])
    logs = build.get("logs") or {}
    failed = failed_phase(build)
    return {
        "id": build["id"],
        "number": build.get("buildNumber"),
        "status": build.get("buildStatus"),
        "source_version": build.get("sourceVersion"),
        "commit": build.get("resolvedSourceVersion"),
        "phases": phases(build, mask),
        "failed_phase": failed["phaseType"] if failed else None,
        "exported": exported(build, mask),
        "log_group": logs.get("groupName"),
        "log_stream": logs.get("streamName"),
        "url": logs.get("deepLink"),
    }


def drill(build: Mapping[str, Any]) -> str | None:
    """Return what to do about a build whose buildspec has a drill in it, as the role build_project writes it, or None."""
    found = _DRILL.search((build.get("source") or {}).get("buildspec") or "")
    if not found:
        return None
    return (
        f"A drill is in the project ({found[1]}, interrupted perhaps), and the source is not at fault: "
        "ansible-playbook playbooks/build.yml takes it out. Then run again."
    )


def failure(build: Mapping[str, Any], last: list[str]) -> str:
    """Put the end of a failed build into words: phase, what CodeBuild says, the last lines, and the way out."""
    mask = masker((build.get("environment") or {}).get("environmentVariables") or [])
    phase, status = failed_phase(build) or {}, build.get("buildStatus") or "FAILED"
    name = phase.get("phaseType") or build.get("currentPhase") or "unknown"
    said = mask(context(phase))
    verb = {"STOPPED": "was stopped", "TIMED_OUT": "took too long and was stopped"}.get(status, "failed")
    text = f"The build {build['id']} {verb} in phase {name}{f': {said}' if said else '.'}"
    if last:
        text += "\nIts last lines:\n" + "\n".join(f"  {line}" for line in last)
    way_out = drill(build) if name == "BUILD" else None
    text += f"\n-> {way_out or remedy(name, status, said, last)}"
    logs = build.get("logs") or {}
    if logs.get("groupName") and logs.get("streamName"):
        text += f"\nThe whole log: aws logs tail {logs['groupName']} --log-stream-names {logs['streamName']} --since 8h"
    return text


# --- following --------------------------------------------------------------------------------------------------------


class BuildLog:
    """The log of one build, read from its beginning to its end, piece by piece."""

    def __init__(self, client: Callable[[str], Any], patience: Patience, say: Callable[[str], None] | None) -> None:
        self._client = client
        self._patience = patience
        self._say = say
        self._token: str | None = None
        self._readable = True
        #: The last lines.
        self.last: list[str] = []
        #: Why it can't be read, where it can't.
        self.trouble: str | None = None

    def read(self, build: Mapping[str, Any]) -> int:
        """Show what has come; return how many lines. A stream that is not there yet has none."""
        logs = build.get("logs") or {}
        if not (self._readable and logs.get("groupName") and logs.get("streamName")):
            return 0
        mask = masker((build.get("environment") or {}).get("environmentVariables") or [])
        count = 0
        for _page in range(PAGES):
            page = self._page(logs["groupName"], logs["streamName"])
            if page is None:
                break
            for event in page.get("events") or []:
                for line in map(mask, log_lines(event.get("message") or "")):
                    count += 1
                    self.last = [*self.last, line][-LAST_LINES:]
                    if self._say:
                        self._say(line)
            # The end of the stream gives the same token back; an empty page alone is not the end.
            if page["nextForwardToken"] == self._token:
                break
            self._token = page["nextForwardToken"]
        return count

    def read_rest(self, build: Mapping[str, Any], interval: float) -> None:
        """Read the last lines of a build that has ended. They come some seconds after its status."""
        logs = build.get("logs") or {}
        if not (logs.get("groupName") and logs.get("streamName")):
            return
        quiet = 0
        for look in range(LAST_LOOKS):
            quiet = 0 if self.read(build) else quiet + 1
            if not self._readable or (quiet >= 2 and self._token):
                return
            if look < LAST_LOOKS - 1:
                time.sleep(min(interval, 2))

    def _page(self, group: str, stream: str) -> dict[str, Any] | None:
        request: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
        if self._token:
            request["nextToken"] = self._token
        try:
            return self._patience(lambda: self._client("logs").get_log_events(**request))
        except ClientError as e:
            code = e.response.get("Error", {}).get("Code")
            if code == "ResourceNotFoundException":  # it is made while the build is being provisioned
                return None
            if code not in ("AccessDeniedException", "AccessDenied"):
                raise
            # No reason to leave the build.
            self._readable = False
            self.trouble = f"The log {group} cannot be read: the permission logs:GetLogEvents is missing."
            return None


class BuildWatch:
    """One build. `client` gives a boto3 client by service name; `params` are the module's options wait_timeout and
    wait_interval (seconds), show_log and progress_file.
    """

    def __init__(self, client: Callable[[str], Any], params: Mapping[str, Any]) -> None:
        self._client = client
        self._params = params
        self._progress = Progress(params.get("progress_file"))
        self._patience = Patience()
        self._shown: set[tuple[int, bool]] = set()
        self.log = BuildLog(client, self._patience, self._progress.say if params["show_log"] else None)

    def say(self, text: str) -> None:
        self._progress.say(text)

    def follow(self, build: Mapping[str, Any]) -> Mapping[str, Any]:
        """Wait until the build has ended, showing phases and log as they come, and return it as it then is.

        Raises ResourceError where the time is over first.
        """
        deadline = time.monotonic() + self._params["wait_timeout"]
        told = False
        while True:
            self.log.read(build)
            self._show_phases(build)
            if self.log.trouble and not told:
                told = True
                self.say(self.log.trouble)
            if is_over(build):
                self.log.read_rest(build, self._params["wait_interval"])
                return build
            if time.monotonic() >= deadline:
                raise self._timeout(build)
            time.sleep(self._params["wait_interval"])
            build = self._look(build["id"]) or build

    def _look(self, build_id: str) -> Mapping[str, Any] | None:
        answer = self._patience(lambda: self._client("codebuild").batch_get_builds(ids=[build_id]))
        if answer is None:
            return None
        if not answer.get("builds"):
            raise ResourceError(f"There is no build {build_id!r} any more: it was deleted while it was followed.")
        return answer["builds"][0]

    def _show_phases(self, build: Mapping[str, Any]) -> None:
        mask = masker((build.get("environment") or {}).get("environmentVariables") or [])
        for number, phase in enumerate(phases(build, mask)):
            over = phase["status"] not in (None, "IN_PROGRESS")
            if (number, over) in self._shown:
                continue
            self._shown.add((number, over))
            if over:
                took = f" after {phase['seconds']} s" if phase["seconds"] is not None else ""
                said = f": {phase['message']}" if phase["message"] and phase["status"] != "SUCCEEDED" else ""
                self.say(f"phase {phase['phase']} {phase['status']}{took}{said}")
            elif not self._params["show_log"]:  # the log says so itself
                self.say(f"phase {phase['phase']}")

    def _timeout(self, build: Mapping[str, Any]) -> ResourceError:
        why = f" CodeBuild could not be asked: {self._patience.trouble}." if self._patience.trouble else ""
        error = ResourceError(
            f"The build {build['id']} is still in phase {build.get('currentPhase') or 'SUBMITTED'} after "
            f"{self._params['wait_timeout']} s (wait_timeout).{why} It goes on by itself: run again to follow it, with a "
            "greater wait_timeout where needed."
        )
        error.details = {"build": describe(build), "log": self.log.last}
        return error
