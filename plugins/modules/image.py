#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: image
version_added: 0.1.0
short_description: Build a container image and push it to its repository
description:
  - Builds an image from a folder with Docker, and pushes it where the registry holds another one under the tag.
  - Whether it is another one is told by digests, so an unchanged folder pushes nothing as long as Docker still has the
    layers of the last build. On another machine the same folder may give another image, since its layers carry the time
    at which they were built.
  - Without O(context), or on a machine without Docker, builds nothing, says so, and is no failure. The image reference
    is used as it is.
  - The password of the registry goes to C(docker login) by its standard input. Docker keeps it in a folder of its own
    that is gone at the end of the module, and where the run is interrupted, too. The user's own Docker configuration is
    only read.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
options:
  repository:
    description: Name of the ECR repository.
    type: str
    required: true
  registry_uri:
    description: URI of the repository, to which an image is pushed.
    type: str
    required: true
  tag:
    description: Tag of the image.
    type: str
    default: latest
  extra_tags:
    description: Further tags that are to name the same image, such as a version.
    type: list
    elements: str
    default: []
  commit_tag:
    description:
      - Tag the image with the commit of the Git work tree that O(context) is in, too. Its full name, 40 digits.
      - Not where the files of the context have changes that are not committed, or there is no Git; the result says so.
      - A commit's tag that the registry has already never moves, even where the same commit gave another image.
    type: bool
    default: false
  context:
    description: Folder to build from. Without one nothing is built.
    type: path
  dockerfile:
    description: Path of the Dockerfile, from the O(context) where it is relative.
    type: str
    default: Dockerfile
  build_args:
    description:
      - Arguments of the build. Everyone who can pull the image can read them in its history.
      - So one whose name looks like that of a secret is refused.
    type: dict
    default: {}
  platform:
    description: Platform that the image is for, C(os/architecture). Empty takes this machine's.
    type: str
    default: linux/amd64
  progress_file:
    description: File to append the build's output to. The action plugin sets it and shows the lines.
    type: path
attributes:
  check_mode:
    description:
      - Builds nothing, so it can't tell whether the image would be another one.
      - Says changed only where the registry has no such tag.
    support: partial
  diff_mode:
    description: Shows the digests under the tags.
    support: full
"""

EXAMPLES = r"""
- name: Build and push the petclinic image
  handson.ecs.image:
    repository: petclinic-rest
    registry_uri: 123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest
    tag: latest
    extra_tags: ["1.4.0"]
    context: "{{ playbook_dir }}/../spring-petclinic-rest"
    build_args:
      JAVA_VERSION: "17"
"""

RETURN = r"""
reference:
  description: The image, by its tag.
  returned: always
  type: str
  sample: 123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/petclinic-rest:latest
digest:
  description: Digest of what the registry holds under the tag. Null where nobody asked it, or it holds nothing.
  returned: always
  type: str
  sample: sha256:9b2c…
built:
  description: Whether an image was built.
  returned: always
  type: bool
commit:
  description: The commit with which the image is tagged. Null where it is not.
  returned: always
  type: str
  sample: 8d1c7b06a1d0b1f3a57f2f1e4a3f7a3b9f6a2a0c
pushed:
  description: The tags that were pushed.
  returned: always
  type: list
  elements: str
msg:
  description: What was done, in words.
  returned: always
  type: str
"""

import base64
import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import tempfile
from collections import deque

try:
    from botocore.exceptions import BotoCoreError, ClientError
except ImportError:
    pass  # AnsibleAWSModule reports the missing library

from ansible_collections.amazon.aws.plugins.module_utils.botocore import is_boto3_error_code

from ansible_collections.handson.ecs.plugins.module_utils import images
from ansible_collections.handson.ecs.plugins.module_utils.progress import Progress
from ansible_collections.handson.ecs.plugins.module_utils.resource import Missing, ResourceError
from ansible_collections.handson.ecs.plugins.module_utils.temporary import guarded_folder, remove_left
from ansible_collections.handson.ecs.plugins.module_utils.unlogged import unlogged_module

#: Of the folder that holds the registry's password.
PREFIX = "handson-docker-"


class Registry:
    """What ECR holds under some tags of a repository."""

    def __init__(self, module):
        self.repository = module.params["repository"]
        self.platform = module.params["platform"]
        self.ecr = module.client("ecr")

    def held(self, tags):
        """Return {tag: (digest, digests by which Docker may know it)} of the tags that are there."""
        held = {}
        # One by one: moto 5.2.5 does not say which of the tags an image was found by.
        for tag in tags:
            for image in self._images({"imageTag": tag}):
                digest, manifest = image["imageId"].get("imageDigest"), json.loads(image["imageManifest"])
                known = images.identities(digest, manifest)
                inner = images.of_platform(manifest, self.platform) if "manifests" in manifest else None
                for one in self._images({"imageDigest": inner}) if inner else []:
                    known |= images.identities(inner, json.loads(one["imageManifest"]))
                held[tag] = (digest, known)
        return held

    def _images(self, identifier):
        try:
            return self.ecr.batch_get_image(
                repositoryName=self.repository, imageIds=[identifier], acceptedMediaTypes=list(images.MANIFESTS)
            )["images"]
        except is_boto3_error_code("RepositoryNotFoundException"):
            raise Missing(
                f"There is no ECR repository named {self.repository!r}. Make it first: ansible-playbook "
                "playbooks/image.yml"
            ) from None

    def password(self):
        """Return the password of user AWS. It holds for twelve hours."""
        token = self.ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
        return base64.b64decode(token).decode().partition(":")[2]


class Docker:
    """The docker command."""

    def __init__(self, progress):
        self.path = shutil.which("docker")
        self.progress = progress
        # A default attestation holds the time of the build: without this no image would equal the last one's.
        self.environment = {**os.environ, "BUILDX_NO_DEFAULT_ATTESTATIONS": "1", "BUILDKIT_PROGRESS": "plain"}

    def answers(self):
        """Return whether there is a Docker, and its engine runs."""
        if not self.path:
            return False
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            info = subprocess.run(
                [self.path, "info"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False
            )
            # An old client exits with 0 though there is no engine.
            return info.returncode == 0 and b"Cannot connect" not in info.stderr
        return False

    def run(self, doing, *arguments, secret=None, environment=None, show=True, inherits=()):
        """Run docker and show its output as it comes. Raises ResourceError with its last lines where it fails."""
        last = deque(maxlen=400)
        with subprocess.Popen(
            [self.path, *arguments],
            stdin=subprocess.DEVNULL if secret is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment or self.environment,
            pass_fds=inherits,
        ) as process:
            if secret is not None:
                with contextlib.suppress(BrokenPipeError):  # it ended before it read; its exit status says why
                    process.stdin.write(secret)
                    process.stdin.close()
            for line in process.stdout:
                line = line.rstrip()
                if secret:
                    line = line.replace(secret, "********")
                last.append(line)
                if show:
                    self.progress.say(line)
        if process.returncode:
            said = images.last_lines(last)
            hint = images.way_out(arguments[0], said)
            raise ResourceError(f"Could not {doing} (exit status {process.returncode}):\n{said or 'no output'}{hint}")

    def image_id(self, reference):
        """Return the id of a local image."""
        shown = subprocess.run(
            [self.path, "image", "inspect", "--format", "{{.Id}}", reference],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if shown.returncode:
            raise ResourceError(
                f"Docker built {reference} but does not know it: {shown.stderr.strip()}. A builder of another driver "
                "keeps its images to itself; use the default one: docker buildx use default"
            )
        return images.digest(shown.stdout)

    @contextlib.contextmanager
    def logged_in(self, host, password):
        """Log in to a registry within a configuration of our own, which goes at the end. Yields the environment.

        The password holds for twelve hours, and a push takes minutes. So the configuration goes at Ctrl-C as well,
        which leaves this process no time for that.
        """
        theirs = os.environ.get("DOCKER_CONFIG") or os.path.expanduser("~/.docker")
        with guarded_folder(PREFIX) as (folder, guard):
            # The same engine, but none of the user's credential stores: those would keep the password.
            configuration = {}
            with contextlib.suppress(OSError, ValueError):
                with open(os.path.join(theirs, "config.json"), encoding="utf-8") as f:
                    configuration = {k: v for k, v in json.load(f).items() if k in ("currentContext", "proxies")}
            with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
                json.dump(configuration, f)
            if os.path.isdir(os.path.join(theirs, "contexts")):
                os.symlink(os.path.join(theirs, "contexts"), os.path.join(folder, "contexts"))
            environment = {**self.environment, "DOCKER_CONFIG": folder}
            self.run(
                f"log in to {host}",
                *("login", "--username", "AWS", "--password-stdin", host),
                secret=password,
                environment=environment,
                # It warns that the password is in a file without encryption: in the folder above, until all is pushed.
                show=False,
                # Docker makes the folder anew where it is gone, so the guard waits for a login that outlives us.
                inherits=(guard,),
            )
            yield environment


def git(folder, *arguments):
    """Return what git says in a folder, None where it fails or there is none. It writes nothing, not even its index."""
    command = shutil.which("git")
    if not command:
        return None
    # A repository of its own is asked, whatever the caller's shell points git at (a hook's GIT_DIR).
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | {"GIT_OPTIONAL_LOCKS": "0"}
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        said = subprocess.run(
            [command, "-C", folder, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=60,
            check=False,
            env=environment,
        )
        return said.stdout if said.returncode == 0 else None
    return None


def commit_tag(params):
    """Return (the commit to tag with, what to say): neither where it is not asked for."""
    if not params["commit_tag"]:
        return None, ""
    context = params["context"]
    head = git(context, "rev-parse", "--verify", "HEAD") or ""
    dockerfile = os.path.join(context, params["dockerfile"])
    changes = git(context, "status", "--porcelain", "--", ".", os.path.abspath(dockerfile)) if head else ""
    if changes is None:  # a Dockerfile outside the work tree
        changes = git(context, "status", "--porcelain", "--", ".") or ""
    commit, why = images.commit_of(head, changes)
    return commit, f" It has no tag of a commit: {why}." if why else ""


@contextlib.contextmanager
def one_at_a_time():
    """Let no other task of this user build meanwhile: hosts that build in one run take turns.

    Docker's builder without BuildKit makes a step anew where another build makes the same one at that moment. The layer
    then carries another time, so the same folder gave another image at each run, and each run pushed it.
    """
    # Not truncated and no link followed: anybody may write in that folder. The lock goes with the process.
    lock = os.path.join(tempfile.gettempdir(), f"handson-image-{os.getuid()}.lock")
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def check(module):
    """Fail on what can be known to be wrong before anything is built."""
    p = module.params
    secrets = images.secret_build_args(p["build_args"])
    if secrets:
        module.fail_json(
            msg=f"image_build_args has {', '.join(secrets)}, which looks like a secret: build arguments stay readable "
            "in the image's history. Give it to the container instead (task_definition_secrets), or name it otherwise "
            "where it is none."
        )
    if not p["context"]:
        return
    if not os.path.isdir(p["context"]):
        module.fail_json(msg=f"image_context is {p['context']!r}, but there is no such folder.")
    dockerfile = os.path.join(p["context"], p["dockerfile"])
    if not os.path.isfile(dockerfile):
        module.fail_json(
            msg=f"There is no Dockerfile at {dockerfile!r}. Set image_dockerfile to its path from image_context."
        )
    try:
        images.host_of(p["registry_uri"])
    except ValueError as e:
        module.fail_json(msg=f"{e}.")


def build_and_push(module, docker, reference):
    """Return the result of a build, with a push where the registry holds something else."""
    p, registry = module.params, Registry(module)
    commit, remark = commit_tag(p)  # before the build, which may take minutes
    tags = list(dict.fromkeys([p["tag"], *p["extra_tags"], *([commit] if commit else [])]))
    before = registry.held(tags)  # first, so that a missing repository costs no build
    dockerfile = os.path.join(p["context"], p["dockerfile"])
    with one_at_a_time():
        docker.run(
            f"build {reference} from {p['context']}",
            *images.build_arguments(reference, p["context"], dockerfile, p["build_args"], p["platform"]),
        )
    image = docker.image_id(reference)
    stale = [t for t in tags if t not in before or image not in before[t][1]]
    if commit in stale and commit in before and commit not in (p["tag"], *p["extra_tags"]):
        # It tells what was built of a commit first; a repository whose tags do not move would refuse another, too.
        stale.remove(commit)
        remark = f" The tag {commit} stays with the image that this commit gave before."
    after = before
    if stale:
        targets = [f"{p['registry_uri']}:{tag}" for tag in stale]
        for target in targets:
            if target != reference:
                docker.run(f"tag {target}", "tag", reference, target)
        with docker.logged_in(images.host_of(p["registry_uri"]), registry.password()) as environment:
            for target in targets:
                docker.run(f"push {target}", "push", target, environment=environment)
        after = registry.held(tags)
    if stale:
        said = f"Built {reference} and pushed it under {', '.join(stale)}."
    else:
        said = f"Built {reference}. The registry holds the same image, so nothing was pushed."
    return {
        "changed": bool(stale),
        "built": True,
        "commit": commit,
        "pushed": stale,
        "digest": (after.get(p["tag"]) or (None,))[0],
        "diff": {"before": {t: d for t, (d, _k) in before.items()}, "after": {t: d for t, (d, _k) in after.items()}},
        "msg": said + remark,
    }


def foresee(module, reference):
    """Return what can be told without building."""
    p = module.params
    commit, remark = commit_tag(p)
    tags = list(dict.fromkeys([p["tag"], *p["extra_tags"], *([commit] if commit else [])]))
    try:
        held = Registry(module).held(tags)
    except Missing:
        held = {}
    missing = [t for t in tags if t not in held]
    if missing:
        said = f"Would build {reference} and push it: the registry has no {', '.join(missing)} yet."
    else:
        said = (
            f"Would build {reference}, and push it if it came out another image than the one in the registry. Only the "
            "build can tell."
        )
    before = {t: d for t, (d, _k) in held.items()}
    return {
        "changed": bool(missing),
        "commit": commit,
        "digest": before.get(p["tag"]),
        "diff": {"before": before, "after": {**before, **dict.fromkeys(missing, "(known after apply)")}},
        "msg": said + remark,
    }


def main():
    module = unlogged_module(
        argument_spec={
            "repository": {"type": "str", "required": True},
            "registry_uri": {"type": "str", "required": True},
            "tag": {"type": "str", "default": "latest"},
            "extra_tags": {"type": "list", "elements": "str", "default": []},
            "commit_tag": {"type": "bool", "default": False},
            "context": {"type": "path"},
            "dockerfile": {"type": "str", "default": "Dockerfile"},
            "build_args": {"type": "dict", "default": {}},
            "platform": {"type": "str", "default": "linux/amd64"},
            "progress_file": {"type": "path"},
        },
        supports_check_mode=True,
    )
    remove_left(tempfile.gettempdir(), PREFIX)  # a run that finds nothing to push makes no folder of its own
    check(module)
    p = module.params
    reference = f"{p['registry_uri']}:{p['tag']}"
    result = {"changed": False, "reference": reference, "digest": None, "commit": None, "built": False, "pushed": []}
    progress = Progress(p["progress_file"])

    def leave(result):
        progress.say(result["msg"])  # an unchanged task's own message is shown to nobody
        module.exit_json(**result)

    if not p["context"]:
        leave(
            {
                **result,
                "msg": "image_context is empty: nothing was built or pushed; the image reference is used as given.",
            }
        )
    docker = Docker(progress)
    if not docker.answers():
        said = f"No Docker here: nothing was built or pushed; the image reference {reference} is used as given."
        leave({**result, "msg": said})
    try:
        result |= foresee(module, reference) if module.check_mode else build_and_push(module, docker, reference)
    except ResourceError as e:
        module.fail_json(msg=str(e), reference=reference)
    except (BotoCoreError, ClientError) as e:
        module.fail_json_aws(e, msg=f"Could not compare {reference} with what the registry holds")
    leave(result)


if __name__ == "__main__":
    main()
