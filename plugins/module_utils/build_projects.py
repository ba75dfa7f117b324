# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between a CodeBuild project as AWS describes it and the options of the module `codebuild_project`.

https://docs.aws.amazon.com/codebuild/latest/APIReference/API_CreateProject.html
"""

from __future__ import annotations

import re
from typing import Any, Iterable, Iterator, Mapping

from ansible_collections.handson.ecs.plugins.module_utils.secrets import (
    CREDENTIALS_IN_URL,
    TOKENS,
    fingerprint,
    looks_secret,
)

#: option -> type of an environment variable
VARIABLES = {"variables": "PLAINTEXT", "parameter_store": "PARAMETER_STORE", "secrets_manager": "SECRETS_MANAGER"}
ENVIRONMENT_TYPES = (
    "LINUX_CONTAINER", "LINUX_GPU_CONTAINER", "ARM_CONTAINER", "LINUX_LAMBDA_CONTAINER", "ARM_LAMBDA_CONTAINER",
)  # fmt: skip
COMPUTE_TYPES = (
    "BUILD_GENERAL1_SMALL", "BUILD_GENERAL1_MEDIUM", "BUILD_GENERAL1_LARGE", "BUILD_GENERAL1_XLARGE",
    "BUILD_GENERAL1_2XLARGE", "BUILD_LAMBDA_1GB", "BUILD_LAMBDA_2GB", "BUILD_LAMBDA_4GB", "BUILD_LAMBDA_8GB",
    "BUILD_LAMBDA_10GB",
)  # fmt: skip
CACHE_MODES = ("LOCAL_SOURCE_CACHE", "LOCAL_DOCKER_LAYER_CACHE", "LOCAL_CUSTOM_CACHE")
FILTER_TYPES = (
    "EVENT", "BASE_REF", "HEAD_REF", "ACTOR_ACCOUNT_ID", "FILE_PATH", "COMMIT_MESSAGE", "WORKFLOW_NAME", "TAG_NAME",
    "RELEASE_NAME", "REPOSITORY_NAME", "ORGANIZATION_NAME",
)  # fmt: skip
EVENTS = (
    "PUSH", "PULL_REQUEST_CREATED", "PULL_REQUEST_UPDATED", "PULL_REQUEST_CLOSED", "PULL_REQUEST_REOPENED",
    "PULL_REQUEST_MERGED", "RELEASED", "PRERELEASED", "WORKFLOW_JOB_QUEUED",
)  # fmt: skip
#: Minutes, shapes BuildTimeOut and TimeOut
TIMEOUT, QUEUED_TIMEOUT = (5, 2160), (5, 480)
#: What Lambda stops after, whatever is asked for
LAMBDA_TIMEOUT = 15
_URL = re.compile(r"https://github\.com/[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]+")
_AUTH_ARN = {
    "CODECONNECTIONS": re.compile(r"arn:aws[a-z-]*:(codeconnections|codestar-connections):[a-z0-9-]+:\d{12}:connection/.+"),
    "SECRETS_MANAGER": re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:.+"),
}


# --- what AWS would refuse --------------------------------------------------------------------------------------------


def name_fault(name: str) -> str | None:
    """Return what is wrong with a project's name (shape ProjectName), or None."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{1,149}", name):
        return None
    return "it takes 2 to 150 letters, digits, hyphens and underscores, the first a letter or digit"


def source_url_fault(url: str) -> str | None:
    """Return what is wrong with the URL of a GitHub repository, or None. What it says never repeats the URL.

    Somebody may have put a token into it, and messages are read by many.
    """
    if "@" in url.split("//", 1)[-1].split("/", 1)[0]:
        return (
            "it has credentials in it, which would be shown to everybody who may look at the project. Give the URL "
            "without them, and a connection or secret by source_auth. Take that token back: it stands in a file"
        )
    if _URL.fullmatch(url):
        return None
    return "a GitHub repository's is https://github.com/<owner>/<repository>, with or without .git"


def webhook_fault(groups: Iterable[Any]) -> str | None:
    """Return what CodeBuild would refuse of a webhook's filter groups, or None."""
    for number, group in enumerate(groups, 1):
        where = f"filter group {number}"
        if not isinstance(group, list) or not group or not all(isinstance(f, Mapping) for f in group):
            return f"{where} is no list of filters"
        events = []
        for f in group:
            if f.get("type") not in FILTER_TYPES:
                return f"{where} has a filter of type {f.get('type')!r}; there are {', '.join(FILTER_TYPES)}"
            if not f.get("pattern"):
                return f"{where} has a filter {f['type']} without a pattern"
            if set(f) - {"type", "pattern", "exclude"}:
                return f"{where} has a filter with {', '.join(sorted(set(f) - {'type', 'pattern', 'exclude'}))}"
            if f["type"] == "EVENT":
                events += [e.strip() for e in f["pattern"].split(",")]
        if not events:
            return f"{where} has no filter of type EVENT, which every group needs, such as PUSH"
        for event in events:
            if event not in EVENTS:
                return f"{where} names the event {event!r}; there are {', '.join(EVENTS)}"
    return None


def variables_faults(params: Mapping[str, Any]) -> Iterator[str]:
    """Say everything that is wrong with the environment variables of a project. Values are never repeated."""
    seen: dict[str, str] = {}
    for option in VARIABLES:
        for name, value in (params.get(option) or {}).items():
            if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
                yield f"{option} has {name!r}: a variable's name takes letters, digits and underscores, no digit first"
            elif name.startswith("CODEBUILD_"):
                yield f"{option} has {name!r}: names that begin with CODEBUILD_ are CodeBuild's own"
            if name in seen:
                yield f"{seen[name]} and {option} both have {name!r}"
            seen.setdefault(name, option)
            if TOKENS.search(str(value)):
                takes = "" if option == "variables" else f"{option} takes the name under which a value is kept, not the value. "
                yield (
                    f"{option} has a token of GitHub or GitLab as {name!r}, and whoever may look at the project reads it. "
                    f"{takes}Put the token into Secrets Manager, name that secret in secrets_manager, and take this token "
                    "back: it stands in a file"
                )
            elif option == "variables" and looks_secret(name):
                yield (
                    f"variables has {name!r}, and whoever may look at the project reads its value. Put the value into "
                    "Parameter Store or Secrets Manager and name it in parameter_store or secrets_manager"
                )


def faults(params: Mapping[str, Any]) -> list[str]:
    """Return everything that CodeBuild would refuse of the module's options, each with the option to change."""
    found = []
    if name_fault(params["name"]):
        found.append(f"name is {params['name']!r}: {name_fault(params['name'])}")
    if source_url_fault(params["source_url"] or ""):
        found.append(f"source_url is wrong: {source_url_fault(params['source_url'] or '')}")
    auth = normalized_auth(params.get("source_auth"))
    if auth and not _AUTH_ARN[auth["type"]].fullmatch(auth["resource"]):
        what = {"CODECONNECTIONS": "a connection", "SECRETS_MANAGER": "a secret"}[auth["type"]]
        found.append(f"source_auth.resource is not the ARN of {what}, which {auth['type']} takes. Never put a token there")
    kind, compute = params["environment_type"], params["compute_type"]
    on_lambda = "LAMBDA" in kind
    if on_lambda != compute.startswith("BUILD_LAMBDA_"):
        found.append(f"compute_type {compute} does not go with environment_type {kind}")
    if on_lambda and params["privileged"]:
        found.append(f"privileged does not go with environment_type {kind}: Lambda has no Docker. Take LINUX_CONTAINER")
    for option, (least, most) in (
        ("timeout", (TIMEOUT[0], LAMBDA_TIMEOUT if on_lambda else TIMEOUT[1])),
        ("queued_timeout", QUEUED_TIMEOUT),
    ):
        if not least <= params[option] <= most:
            found.append(f"{option} is {params[option]} minutes: it takes {least} to {most}")
    cache = params.get("cache") or {}
    if cache.get("type") == "S3" and not cache.get("bucket"):
        found.append("cache.type is S3: name its bucket in cache.bucket")
    if cache.get("type") == "LOCAL" and not cache.get("modes"):
        found.append(f"cache.type is LOCAL: give cache.modes, of {', '.join(CACHE_MODES)}")
    if "LOCAL_DOCKER_LAYER_CACHE" in (cache.get("modes") or []) and not params["privileged"]:
        found.append("cache.modes has LOCAL_DOCKER_LAYER_CACHE, which needs privileged: true")
    found += variables_faults(params)
    if params.get("webhook") and webhook_fault(params["webhook"]):
        found.append(f"webhook: {webhook_fault(params['webhook'])}")
    return found


def misplaced_secrets(params: Mapping[str, Any]) -> set[str]:
    """Return what may be a secret in options that take none: for hiding it, where the options are refused."""
    found = {str(v) for k, v in (params.get("variables") or {}).items() if looks_secret(k)}
    found |= {str(v) for option in VARIABLES for v in (params.get(option) or {}).values() if TOKENS.search(str(v))}
    host = (params.get("source_url") or "").split("//", 1)[-1].split("/", 1)[0]
    if "@" in host:
        who = host.rpartition("@")[0]
        found |= {who, *who.split(":")}
    resource = (params.get("source_auth") or {}).get("resource") or ""
    if not resource.startswith("arn:"):
        found.add(resource)
    return found - {""}


# --- from AWS ---------------------------------------------------------------------------------------------------------


def project_from_aws(project: Mapping[str, Any]) -> dict[str, Any]:
    """Return the module's options that describe a project (BatchGetProjects), without tags and without any secret."""
    source, environment = project.get("source") or {}, project.get("environment") or {}
    logs = (project.get("logsConfig") or {}).get("cloudWatchLogs") or {}
    state = {
        "name": project["name"],
        "arn": project["arn"],
        "description": project.get("description") or "",
        "source_type": source.get("type"),
        "source_url": source.get("location") or "",
        "source_version": project.get("sourceVersion") or "",
        "source_auth": normalized_auth(source.get("auth")),
        "buildspec": source.get("buildspec") or "",
        "artifacts": (project.get("artifacts") or {}).get("type"),
        "image": environment.get("image"),
        "environment_type": environment.get("type"),
        "compute_type": environment.get("computeType"),
        "privileged": bool(environment.get("privilegedMode")),
        "image_pull_credentials": environment.get("imagePullCredentialsType") or "CODEBUILD",
        "cache": cache_from_aws(project.get("cache")),
        # Without any settings CodeBuild logs to a group of its own that nobody deletes.
        "log_group": (logs.get("groupName") or "(CodeBuild's own)") if logs.get("status") != "DISABLED" else "",
        "service_role": project.get("serviceRole"),
        "timeout": project.get("timeoutInMinutes"),
        "queued_timeout": project.get("queuedTimeoutInMinutes"),
        "badge": bool((project.get("badge") or {}).get("badgeEnabled")),
        "webhook": webhook_from_aws(project.get("webhook")),
    }
    for option, kind in VARIABLES.items():
        state[option] = {
            v["name"]: v.get("value") or ""
            for v in environment.get("environmentVariables") or []
            if v.get("type", "PLAINTEXT") == kind
        }
    return state


def masked(project: Mapping[str, Any]) -> dict[str, Any]:
    """Return a project fit to be shown, in the names of the options: what looks like a secret is a fingerprint.

    Somebody may have put one into the console, as a plain variable, in the source's URL or in the buildspec. The
    fingerprint still shows that a value changed.
    """
    shown = {key: _hidden(value) for key, value in project.items()}
    if project.get("variables"):
        shown["variables"] = {k: fingerprint(v) if looks_secret(k) else _hidden(v) for k, v in project["variables"].items()}
    return shown


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        for pattern in (CREDENTIALS_IN_URL, TOKENS):
            value = pattern.sub(lambda m: fingerprint(m[0]), value)
        return value
    if isinstance(value, Mapping):
        return {k: _hidden(v) for k, v in value.items()}
    return [_hidden(v) for v in value] if isinstance(value, list) else value


def normalized_auth(auth: Mapping[str, Any] | None) -> dict[str, str]:
    """Return {type, resource} of the option `source_auth` or of a project's source, nothing for the account's own.

    OAUTH is what the console writes where a person has connected the account.
    """
    if (auth or {}).get("type", "NONE") in ("NONE", "OAUTH"):
        return {}
    return {"type": auth["type"], "resource": auth.get("resource") or ""}


def cache_from_aws(cache: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the option `cache` of a project's cache, in one spelling."""
    cache = cache or {}
    bucket, _, prefix = (cache.get("location") or "").partition("/")
    return normalized_cache(
        {"type": cache.get("type"), "bucket": bucket, "prefix": prefix, "modes": cache.get("modes") or []}
    )


def normalized_cache(cache: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the option `cache` with only what its type has to do with."""
    cache = cache or {}
    kind = cache.get("type") or "NO_CACHE"
    if kind == "S3":
        return {"type": kind, "bucket": cache.get("bucket") or "", "prefix": (cache.get("prefix") or "").strip("/")}
    if kind == "LOCAL":
        return {"type": kind, "modes": sorted(cache.get("modes") or [])}
    return {"type": kind}


def webhook_from_aws(webhook: Mapping[str, Any] | None) -> list[list[dict[str, Any]]]:
    """Return the option `webhook` of a project's webhook: its filter groups, none where there is no webhook.

    A webhook without groups, or with the old `branchFilter`, is one that no option describes: [["(every push)"]].
    Its URL and secret are left out.
    """
    if not webhook:
        return []
    groups = webhook.get("filterGroups") or []
    if not groups:
        return [["(every push)"]]
    return normalized_webhook(
        [
            [{"type": f["type"], "pattern": f["pattern"], "exclude": f.get("excludeMatchedPattern", False)} for f in group]
            for group in groups
        ]
    )


def normalized_webhook(groups: Iterable[Iterable[Mapping[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Return filter groups in one spelling and order. Events are a set, and so are filters and groups."""
    result = []
    for group in groups:
        filters = [
            {
                "type": f["type"],
                "pattern": ", ".join(sorted(e.strip() for e in f["pattern"].split(",")))
                if f["type"] == "EVENT"
                else f["pattern"],
                "exclude": bool(f.get("exclude")),
            }
            for f in group
        ]
        result.append(sorted(filters, key=lambda f: (f["type"], f["pattern"], f["exclude"])))
    return sorted(result, key=repr)


# --- to AWS -----------------------------------------------------------------------------------------------------------


def webhook_to_aws(groups: Iterable[Iterable[Mapping[str, Any]]]) -> list[list[dict[str, Any]]]:
    """Return `filterGroups` of CreateWebhook and UpdateWebhook."""
    return [
        [
            {"type": f["type"], "pattern": f["pattern"], **({"excludeMatchedPattern": True} if f.get("exclude") else {})}
            for f in group
        ]
        for group in groups
    ]


def image_pull_credentials(image: str) -> str:
    """Return whose rights pull the image: CodeBuild's for its own images, which takes no other, else the role's.

    https://docs.aws.amazon.com/codebuild/latest/APIReference/API_ProjectEnvironment.html
    """
    return "CODEBUILD" if image.startswith("aws/codebuild/") else "SERVICE_ROLE"


#: option -> the part of CreateProject and UpdateProject that it belongs to
PART_OF = {
    "description": "description",
    "source_type": "source",
    "source_url": "source",
    "source_auth": "source",
    "buildspec": "source",
    "source_version": "sourceVersion",
    "artifacts": "artifacts",
    "image": "environment",
    "environment_type": "environment",
    "compute_type": "environment",
    "privileged": "environment",
    "image_pull_credentials": "environment",
    "variables": "environment",
    "parameter_store": "environment",
    "secrets_manager": "environment",
    "cache": "cache",
    "log_group": "logsConfig",
    "service_role": "serviceRole",
    "timeout": "timeoutInMinutes",
    "queued_timeout": "queuedTimeoutInMinutes",
    "badge": "badgeEnabled",
    "tags": "tags",
}


def project_to_aws(
    desired: Mapping[str, Any], changes: Iterable[str], live: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return the parameters of CreateProject or UpdateProject for what is named in `changes`.

    UpdateProject leaves alone a part that isn't given, and replaces one that is. So a part holds what `live` (as
    BatchGetProjects gives it) has in it that is none of our options, such as a clone depth.
    """
    parts, live = {PART_OF[c] for c in changes if c in PART_OF}, live or {}
    given: dict[str, Any] = {}
    if "source" in parts:
        source = {k: v for k, v in (live.get("source") or {}).items() if k != "auth"}
        source |= {"type": desired["source_type"], "location": desired["source_url"], "buildspec": desired["buildspec"]}
        was = (live.get("source") or {}).get("auth")
        auth = was if desired.get("source_auth", normalized_auth(was)) == normalized_auth(was) else desired["source_auth"]
        given["source"] = {**source, **({"auth": dict(auth)} if auth else {})}
    if "environment" in parts:
        given["environment"] = {
            **(live.get("environment") or {}),
            "type": desired["environment_type"],
            "image": desired["image"],
            "computeType": desired["compute_type"],
            "privilegedMode": desired["privileged"],
            "imagePullCredentialsType": desired["image_pull_credentials"],
            "environmentVariables": [
                {"name": name, "value": value, "type": kind}
                for option, kind in VARIABLES.items()
                for name, value in sorted(desired[option].items())
            ],
        }
    if "cache" in parts:
        given["cache"] = _cache_to_aws(desired["cache"])
    if "logsConfig" in parts:
        group = desired["log_group"]
        cloudwatch = {"status": "ENABLED", "groupName": group} if group else {"status": "DISABLED"}
        given["logsConfig"] = {**(live.get("logsConfig") or {}), "cloudWatchLogs": cloudwatch}
    if "artifacts" in parts:
        given["artifacts"] = {"type": desired["artifacts"]}
    if "tags" in parts:
        given["tags"] = [{"key": k, "value": v} for k, v in sorted(desired["tags"].items())]
    for option in ("description", "source_version", "service_role", "timeout", "queued_timeout", "badge"):
        if PART_OF[option] in parts and option in desired:
            given[PART_OF[option]] = desired[option]
    return given


def _cache_to_aws(cache: Mapping[str, Any]) -> dict[str, Any]:
    if cache["type"] == "S3":
        return {"type": "S3", "location": "/".join(p for p in (cache["bucket"], cache["prefix"]) if p)}
    return dict(cache)
