# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds and pipelines: repository, names, buckets, who may start what.

The rules are those of the modules `codebuild_project`, `codepipeline`, `codeconnection` and `bucket`, told here by the
variable and before anything is written.
"""

from __future__ import annotations

import re
from typing import Iterator

from ansible_collections.handson.ecs.plugins.module_utils import build_projects, buckets, connections, pipelines
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, in_range, one_of, truthy
from ansible_collections.handson.ecs.plugins.module_utils.preflight.names import ROLE, problem_of

#: Option of codebuild_project -> variable of the role build_project.
_OPTIONS = {
    "timeout": "build_project_timeout",
    "queued_timeout": "build_project_queued_timeout",
    "source_auth": "build_project_source_auth_arn",
    "compute_type": "build_project_compute_type",
    "privileged": "build_project_privileged",
    "cache": "build_project_cache_type",
    "variables": "build_project_variables",
    "parameter_store": "build_project_parameter_store",
    "secrets_manager": "build_project_secrets_manager",
}

#: Variables that the role gives every build -> what feeds each. imagedefinitions.json must name the task definition's
#: container and the registry's image, so nothing else may.
_OWN = {
    "CONTAINER_NAME": "task_definition_container_name",
    "DOCKERFILE": "build_project_dockerfile",
    "IMAGE_REPOSITORY": "registry_name",
    "IMAGE_TAG": "image_tag",
}


def check_delivery(host: Host) -> Iterator[Fault]:
    """Check all that the inventory says about the builds and the pipeline of a service, unless it is taken away."""
    if host.text("service_state") == "absent":
        return
    has_source = bool(host.text("build_project_source_url"))
    piped = truthy(host.values.get("pipeline_enabled"))
    if piped and not has_source and "build_project_source_url" not in host.broken:
        yield host.fault(
            "build_project_source_url",
            "pipeline_enabled is true, and there is no repository for it to take from.",
            "Set it to https://github.com/<owner>/<repository>, or pipeline_enabled to false.",
        )
    if not has_source:
        return
    yield from _build(host)
    if piped:
        yield from _pipeline(host)
        yield from _owner(host)


def check_shared_caches(hosts: list[Host]) -> Iterator[Fault]:
    """Check that a cache bucket is one cluster's, and what its services must have alike in it (days) and apart (prefix)."""
    buckets_of: dict[str, dict[str, list[Host]]] = {}
    for host in hosts:
        shares = host.kind == "service" and host.text("service_state") != "absent" and host.text("build_project_source_url")
        if shares and host.text("build_project_cache_type") == "S3":
            place = f"{host.text('aws_account_id')}/{host.text('build_project_cache_bucket')}"
            buckets_of.setdefault(place, {}).setdefault(host.text("cluster_name"), []).append(host)
    for clusters in buckets_of.values():
        for name, mine in clusters.items():
            others = sorted(set(clusters) - {name})
            for host in mine:
                if others:
                    yield host.fault(
                        "build_project_cache_bucket",
                        f"{', '.join(others)} has the same bucket, and it goes with the cluster that made it.",
                        f"Set it on {name} to another name.",
                    )
                days = {h.name: h.text("build_project_cache_days") for h in mine if "build_project_cache_days" not in h.broken}
                unlike = [f"{other} has {theirs}" for other, theirs in days.items() if theirs != days.get(host.name, theirs)]
                if unlike:
                    yield host.fault(
                        "build_project_cache_days",
                        f"{', '.join(unlike)}, and they share the bucket: each run would set it to one and then the other.",
                        f"Give all services of {name} the same.",
                    )
                prefix = host.text("build_project_cache_prefix")
                twins = [h.name for h in mine if h is not host and h.text("build_project_cache_prefix") == prefix]
                if twins:
                    yield host.fault(
                        "build_project_cache_prefix",
                        f"{', '.join(twins)} has the same, and each would build with the other's cache.",
                        "Give each another one.",
                    )


def _build(host: Host) -> Iterator[Fault]:
    url = build_projects.source_url_fault(host.text("build_project_source_url"))
    if url and "build_project_source_url" not in host.broken:
        # Never with its value: somebody may have put a token into it.
        yield host.fault("build_project_source_url", f"{_sentence(url)}", "Give it without user and token.", value="(not shown)")
    # https://git-scm.com/docs/git-check-ref-format, as far as somebody may mistype
    if "build_project_branch" not in host.broken and not re.fullmatch(
        r"(?!.*(\.\.|//|@\{))[^\s~^:?*\[\\/.-][^\s~^:?*\[\\]*(?<![/.])", host.text("build_project_branch")
    ):
        yield host.fault("build_project_branch", "This is not the name of a branch.", "Name one, such as master or main.")
    name = build_projects.name_fault(host.text("build_project_name"))
    if name and "build_project_name" not in host.broken:
        yield host.fault("build_project_name", _sentence(name), "Set service_prefix, or build_project_name, to another name.")
    role = problem_of(host.text("build_project_role_name"), ROLE)
    if role and "build_project_role_name" not in host.broken:
        yield host.fault("build_project_role_name", role, "Shorten service_prefix, or set it to another name.")
    if host.text("build_project_cache_type") == "S3":
        yield from _bucket(host, "build_project_cache_bucket", "build_username")
        prefix = host.text("build_project_cache_prefix")
        if "build_project_cache_prefix" in host.values and (not prefix or prefix != prefix.strip("/")):
            yield host.fault(
                "build_project_cache_prefix",
                "It is the folder of this project's cache, without a slash at its ends.",
                "Leave it out, or set it to a name such as petclinic-rest.",
            )
    yield from one_of(host, "build_project_cache_type", ("S3", "LOCAL", "NO_CACHE"), "Where builds keep things")
    yield from one_of(
        host, "build_project_source_auth_type", ("NONE", "CODECONNECTIONS", "SECRETS_MANAGER"), "The way to the repository"
    )
    for option in build_projects.VARIABLES:
        taken = sorted(set(_OWN) & set(host.mapped(_OPTIONS[option])))
        if taken:
            # Never with its value, which may hold a token.
            yield host.fault(
                _OPTIONS[option],
                f"The role gives every build {', '.join(taken)} by itself.",
                f"Take it out, and set {', '.join(f'{_OWN[name]} ({name})' for name in taken)} instead.",
                value="(not shown)",
            )
    yield from _as_the_module(host)


def _as_the_module(host: Host) -> Iterator[Fault]:
    """What CodeBuild refuses of values that no variable alone shows."""
    timeout, queued = host.number("build_project_timeout"), host.number("build_project_queued_timeout")
    if timeout is None or queued is None:
        yield from in_range(host, "build_project_timeout", *build_projects.TIMEOUT, "A number of minutes")
        yield from in_range(host, "build_project_queued_timeout", *build_projects.QUEUED_TIMEOUT, "A number of minutes")
        return
    auth = {"type": host.text("build_project_source_auth_type"), "resource": host.text("build_project_source_auth_arn")}
    said = build_projects.faults(
        {
            "name": "told-above",
            "source_url": "https://github.com/told/above",
            "source_auth": auth if auth["type"] in ("CODECONNECTIONS", "SECRETS_MANAGER") else None,
            "environment_type": host.text("build_project_environment_type"),
            "compute_type": host.text("build_project_compute_type"),
            "privileged": truthy(host.values.get("build_project_privileged")),
            "timeout": timeout,
            "queued_timeout": queued,
            "cache": {
                "type": host.text("build_project_cache_type"),
                "bucket": host.text("build_project_cache_bucket"),
                "modes": host.listed("build_project_cache_modes"),
            },
            **{o: host.mapped(_OPTIONS[o]) for o in ("variables", "parameter_store", "secrets_manager")},
        }
    )
    for text in said:
        option = next((o for o in _OPTIONS if text.startswith(o)), "compute_type")
        variable = _OPTIONS[option]
        hidden = {"value": "(not shown)"} if option in ("source_auth", *build_projects.VARIABLES) else {}
        yield host.fault(variable, _sentence(text), f"Change {variable}.", **hidden)


def _pipeline(host: Host) -> Iterator[Fault]:
    for variable, pattern, letters in (
        ("pipeline_name", pipelines.NAME, "1 to 100 letters, digits and . @ - _"),
    ):
        if variable not in host.broken and not pattern.fullmatch(host.text(variable)):
            yield host.fault(variable, f"A pipeline's name is {letters}.", "Set service_prefix, or it, to another name.")
    role = problem_of(host.text("pipeline_role_name"), ROLE)
    if role and "pipeline_role_name" not in host.broken:
        yield host.fault("pipeline_role_name", role, "Shorten service_prefix, or set it to another name.")
    yield from _bucket(host, "pipeline_artifact_bucket", "service_prefix or build_username")
    yield from in_range(host, "pipeline_deploy_timeout", 1, 60, "A deployment's minutes")
    if host.values.get("pipeline_approval_timeout") is not None:
        yield from in_range(host, "pipeline_approval_timeout", 5, 86400, "An approval's minutes")
    yield from one_of(host, "pipeline_execution_mode", ("SUPERSEDED", "QUEUED"), "The execution mode")
    yield from one_of(host, "pipeline_source_format", ("CODE_ZIP", "CODEBUILD_CLONE_REF"), "The source's form")
    arn = host.text("pipeline_connection_arn")
    if arn and not connections.is_arn(arn):
        # Somebody may have put a token into it.
        hidden = {"value": "(not shown)"}
        yield host.fault(
            "pipeline_connection_arn", "This is not the ARN of a connection.", "Leave it empty to have one made.", **hidden
        )
    name = None if arn else connections.name_fault(host.text("pipeline_connection_name"))
    if name and "pipeline_connection_name" not in host.broken:
        yield host.fault("pipeline_connection_name", _sentence(name), "Set it to another name.")


def _owner(host: Host) -> Iterator[Fault]:
    """A pipeline owns the image, and pushes start it: nothing else may take either."""
    if truthy(host.values.get("build_project_webhook_enabled")):
        yield host.fault(
            "build_project_webhook_enabled",
            "The pipeline is started by a push as well, so every push would be built twice.",
            "Set it to false, or leave it out.",
        )
    if host.text("service_task_definition") == "latest":
        yield host.fault(
            "service_task_definition",
            "With a pipeline the service is not to go to the latest revision: it may be one that the pipeline took back.",
            "Leave it out (keep_image), or set it to keep.",
        )


def _bucket(host: Host, variable: str, derived_from: str) -> Iterator[Fault]:
    fault = buckets.name_fault(host.text(variable)) if variable not in host.broken else None
    if fault:
        yield host.fault(variable, _sentence(fault), f"Change {derived_from}, or set it to another name.")


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."
