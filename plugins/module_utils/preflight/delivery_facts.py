# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the account has of that which builds, pipelines and images lean on: connections, credentials, buckets, images.

The roles would meet each of these as well, but only after network, cluster and service stand.
"""

from __future__ import annotations

from typing import Any, Iterable, Iterator, Mapping

from ansible_collections.handson.ecs.plugins.module_utils import buckets, connections
from ansible_collections.handson.ecs.plugins.module_utils.preflight.fault import Fault, Host, truthy
from ansible_collections.handson.ecs.plugins.module_utils.preflight.image import ECR

#: The server type of what GitHub's own service is asked with (SourceCredentialsInfo).
GITHUB = "GITHUB"


def questions(hosts: Iterable[Host], image_needed: bool = False) -> dict[str, Any]:
    """Return what `preflight_info` must be asked for these hosts: each thing once, and nothing that nobody needs."""
    builds = [h for h in hosts if _builds(h)]
    images = {i["reference"]: i for h in hosts if image_needed and (i := image_of(h))}
    return {
        "connections": sorted({arn for h in builds for arn in (_pipelines_connection(h), _builds_connection(h)) if arn}),
        "source_credentials": any(_wants_webhook_by_account(h) for h in builds),
        "buckets": sorted({name for h in builds for name in _buckets(h).values()}),
        "images": [images[reference] for reference in sorted(images)],
    }


def check_delivery_facts(host: Host, facts: Mapping[str, Any]) -> Iterator[Fault]:
    """Check a service's connections, credentials, buckets and image against what the account has."""
    if _builds(host):
        yield from _connections(host, facts.get("connections") or {})
        yield from _credentials(host, facts.get("source_credentials"))
        yield from _bucket_names(host, facts)
    yield from _image(host, facts.get("images") or {})


def _stays(host: Host) -> bool:
    return host.kind == "service" and host.text("service_state") != "absent"


def _builds(host: Host) -> bool:
    return _stays(host) and bool(host.text("build_project_source_url"))


def _piped(host: Host) -> bool:
    return truthy(host.values.get("pipeline_enabled"))


# --- connections ------------------------------------------------------------------------------------------------------


def _pipelines_connection(host: Host) -> str:
    """Return the ARN of the pipeline's connection where one is given, otherwise an empty text."""
    arn = host.text("pipeline_connection_arn") if _piped(host) else ""
    return arn if connections.is_arn(arn) else ""


def _builds_connection(host: Host) -> str:
    """The same of the build project. Of one in another region only CodeBuild can tell whether it takes it."""
    arn = host.text("build_project_source_auth_arn")
    match = connections.ARN.fullmatch(arn) if host.text("build_project_source_auth_type") == "CODECONNECTIONS" else None
    return arn if match and match["region"] == host.text("aws_region") else ""


def _connections(host: Host, found: Mapping[str, Any]) -> Iterator[Fault]:
    for variable, arn, otherwise in (
        ("pipeline_connection_arn", _pipelines_connection(host), "leave it empty to have one made"),
        ("build_project_source_auth_arn", _builds_connection(host), "set build_project_source_auth_type to NONE"),
    ):
        if arn not in found or found[arn] == "AVAILABLE":
            continue
        if found[arn] is None:
            yield host.fault(
                variable,
                "There is no such connection in this account and region.",
                f"Set it to one that `aws codeconnections list-connections` shows, or {otherwise}.",
            )
            continue
        # The pipeline is made all the same, and the run ends with a failure; a build can't fetch its source.
        later = variable == "pipeline_connection_arn"
        yield host.fault(
            variable,
            f"The connection is {found[arn]}: "
            + ("all is made, and the pipeline can't read the repository." if later else "a build can't fetch its source."),
            f'A person approves it once, in the console ("Update pending connection"): {connections.console_url(arn)}',
            warning=later,
        )


# --- credentials ------------------------------------------------------------------------------------------------------


def _wants_webhook_by_account(host: Host) -> bool:
    """Whether a webhook is to be made with the credentials that the account has for GitHub."""
    auth = host.text("build_project_source_auth_type")
    return truthy(host.values.get("build_project_webhook_enabled")) and auth == "NONE"


def _credentials(host: Host, found: Any) -> Iterator[Fault]:
    if found is None or GITHUB in found or not _wants_webhook_by_account(host):
        return
    yield host.fault(
        "build_project_source_auth_type",
        f"A push is to start a build, and CodeBuild has no access to GitHub in this account and {host.text('aws_region')}: the "
        'webhook would be refused ("Could not find access token").',
        "Connect the account to GitHub once in the CodeBuild console (default source credentials, or "
        "`aws codebuild import-source-credentials`), or set it to CODECONNECTIONS with the ARN of an approved connection in "
        "build_project_source_auth_arn, or set build_project_webhook_enabled to false.",
    )


# --- buckets ----------------------------------------------------------------------------------------------------------


def _buckets(host: Host) -> dict[str, str]:
    """Return {variable: name} of the buckets that this service uses, without those that can't be a bucket's name."""
    used = {}
    if host.text("build_project_cache_type") == "S3":
        used["build_project_cache_bucket"] = host.text("build_project_cache_bucket")
    if _piped(host):
        used["pipeline_artifact_bucket"] = host.text("pipeline_artifact_bucket")
    return {v: name for v, name in used.items() if v not in host.broken and not buckets.name_fault(name)}


def _bucket_names(host: Host, facts: Mapping[str, Any]) -> Iterator[Fault]:
    found = facts.get("buckets") or {}
    for variable, name in _buckets(host).items():
        where = found.get(name)
        if where is None:
            continue
        if where == "refused":
            problem = (
                "Somebody else has a bucket of this name, since they are the whole world's; or you may not look at it "
                "(s3:ListBucket)."
            )
        elif where and where != facts.get("region"):
            problem = f"A bucket of this name is in {where}, and {facts.get('region')} needs one of its own."
        else:
            continue
        yield host.fault(variable, problem, "Set build_username, which is part of the names of buckets, or it, to another name.")


# --- images -----------------------------------------------------------------------------------------------------------


def image_of(host: Host) -> dict[str, str] | None:
    """Return {reference, repository, tag} where this service needs an image that nobody builds, otherwise None.

    That is the default image, in this service's own repository of ECR. Of any other its owner knows, and a service that
    keeps its revision runs another one, perhaps.
    """
    if not _stays(host) or host.text("image_context") or host.text("build_project_source_url"):
        return None
    if {"image_reference", "image_context", "build_project_source_url"} & host.broken:
        return None
    if host.text("service_task_definition") != "latest" or host.number("service_desired_count") == 0:
        return None
    reference, tag = host.text("image_reference"), host.text("image_tag")
    match = ECR.match(reference)
    if not match or reference != f"{match[0]}:{tag}":
        return None
    mine = (host.text("aws_account_id"), host.text("aws_region"), host.text("registry_name"))
    if (match["account"], match["region"] or match["dual"], match["name"]) != mine:
        return None
    return {"reference": reference, "repository": match["name"], "tag": tag}


def _image(host: Host, found: Mapping[str, Any]) -> Iterator[Fault]:
    image = image_of(host)
    if image and found.get(image["reference"]) is False:
        yield host.fault(
            "image_context",
            f"Nothing builds the image, and ECR has no {image['repository']}:{image['tag']}: no task would start "
            "(CannotPullContainerError).",
            f"Make the repository (playbooks/image.yml) and `docker push {image['reference']}`; or set image_context to the "
            "folder that it is built from, or build_project_source_url to its repository on GitHub.",
        )
