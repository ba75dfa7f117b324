#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: key_pair
version_added: 0.1.0
short_description: Keep an EC2 key pair whose private half is made here
description:
  - Makes a key on this machine, writes its private half to a file and imports the public half into EC2.
    So a lost answer of AWS never costs the private half, and it is in no log.
    That is why this is not M(amazon.aws.ec2_key).
  - An existing private key file is taken as it is, whatever its type.
  - Every run compares the file's fingerprint with that of the key pair in EC2.
    Where they differ, or the file is gone, the module fails, since running instances hold the old public half.
  - Beside a private key that it made, the module writes the public half with C(.pub) appended.
    Its comment says who made it. A private key without that is never deleted.
author: The handson.ecs contributors (@handson-ecs)
requirements:
  - cryptography
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description: Name of the key pair in EC2.
    type: str
    required: true
  private_key_file:
    description:
      - Path of the private key. Nobody but its owner may read it. Another mode is repaired.
      - A missing directory is made with mode 0700.
    type: path
    required: true
  type:
    description: Type of a key that is made. V(rsa) has 4096 bits. Windows instances take V(rsa) only.
    type: str
    choices: [ed25519, rsa]
    default: ed25519
  replace:
    description:
      - Put the local key in the place of another one in EC2, and make a new one where the file is gone.
      - Instances that run already keep the old public half. Replace them too.
    type: bool
    default: false
  remove_private_key:
    description: With O(state=absent), delete the private key file, too, if this module made it for this key pair.
    type: bool
    default: true
"""

EXAMPLES = r"""
- name: Keep the key pair of the instances
  handson.ecs.key_pair:
    name: petclinic-rest-key
    private_key_file: ~/.ssh/petclinic-rest-key.pem
"""

RETURN = r"""
key_pair:
  description: The key pair. It holds no part of the private key.
  returned: always
  type: dict
  sample:
    id: key-0123456789abcdef0
    name: petclinic-rest-key
    type: ed25519
    fingerprint: 8ZVMcTKqdR5hxMjZI3t6b09EPIOE5QA6G9/Z63ejNBM
    private_key_file: /home/me/.ssh/petclinic-rest-key.pem
    private_key_mode: "0600"
    tags: {"handson:cluster": petclinic-rest-cluster}
"""

import os

from ansible.module_utils.basic import missing_required_lib
from ansible_collections.amazon.aws.plugins.module_utils.modules import AnsibleAWSModule

from ansible_collections.handson.ecs.plugins.module_utils import key_pairs
from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.ec2_tags import tag_specifications
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    KNOWN_AFTER_APPLY,
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)

MODE = 0o600


class KeyPair(Resource):
    kind = "key pair"
    result_key = "key_pair"
    exists_codes = ("InvalidKeyPair.Duplicate",)

    def __init__(self, module):
        super().__init__(module)
        self.path = self.params["private_key_file"]

    def get(self):
        # With the public half two keys can be compared however an endpoint spells fingerprints.
        found = ignore_missing(
            lambda: self.client("ec2").describe_key_pairs(KeyNames=[self.name], IncludePublicKey=True),
            "InvalidKeyPair.NotFound",
        )
        if not found or not found["KeyPairs"]:
            return self._left_behind()
        pair = found["KeyPairs"][0]
        public = (pair.get("PublicKey") or "").strip()
        if public:
            fingerprint = key_pairs.fingerprint(public)
        else:
            fingerprint = key_pairs.normalized_fingerprint(pair.get("KeyFingerprint"))
        return {
            "name": pair["KeyName"],
            "id": pair.get("KeyPairId"),
            "type": pair.get("KeyType") or key_pairs.key_type(public or "?"),
            "fingerprint": fingerprint,
            **self._file_state(),
            "tags": tags_to_dict(pair.get("Tags")),
        }

    def desired(self, current):
        public = self._public()
        if public is None and current is not None and not self.params["replace"]:
            raise ResourceError(
                f"The key pair {self.name!r} is in EC2, but its private half is not at private_key_file {self.path!r}. "
                f"{self._way_out()}"
            )
        fingerprint = KNOWN_AFTER_APPLY if public is None else key_pairs.fingerprint(public)
        if public is not None and current is not None and not self.params["replace"]:
            self._refuse_other(current["fingerprint"], fingerprint)
        mode = self._file_state()["private_key_mode"]
        return {
            "name": self.name,
            "type": self.params["type"] if public is None else key_pairs.key_type(public),
            "fingerprint": fingerprint,
            "private_key_file": self.path,
            "private_key_mode": mode if mode and key_pairs.is_private(mode) else f"{MODE:04o}",
        }

    def create(self, desired):
        self._keep_file(desired)
        self._import(desired)

    def update(self, current, desired, changes):
        self._keep_file(desired)
        if "fingerprint" in changes and current["fingerprint"] != desired["fingerprint"]:
            if not self.params["replace"]:
                # Only after a lost race: somebody imported another key between our look and our import.
                self._refuse_other(current["fingerprint"], desired["fingerprint"])
            self.client("ec2").delete_key_pair(KeyName=self.name)
            self._import(desired)
        elif "tags" in changes:
            self.client("ec2").create_tags(Resources=[current["id"]], Tags=dict_to_tags(desired["tags"]))

    def delete(self, current):
        if current["id"]:
            self.client("ec2").delete_key_pair(KeyName=self.name)
        if not self.params["remove_private_key"]:
            return
        try:
            # The public half last: it is the proof of who made the other one.
            if self._is_made_by_us():
                if current["fingerprint"] == key_pairs.fingerprint(self._public()):
                    os.unlink(self.path)
                    os.unlink(self._public_path)
            elif self._is_lone_public_half():
                os.unlink(self._public_path)
        except OSError as e:
            raise ResourceError(f"Cannot delete {e.filename!r} (private_key_file): {e.strerror}.") from None
        key_pairs.remove_copies(self.path, living=True)
        stay = key_pairs.copies(self.path)
        if stay:
            raise ResourceError(f"Cannot delete {', '.join(stay)}, which may hold the private key. Delete it by hand.")

    # --- the files ------------------------------------------------------------------------------------------------

    @property
    def _public_path(self):
        return f"{self.path}.pub"

    def _file_state(self):
        there = os.path.isfile(self.path)
        return {
            "private_key_file": self.path if there else None,
            "private_key_mode": key_pairs.mode_of(self.path) if there else None,
        }

    def _read(self, path):
        """The content of a file, or None where there is none."""
        try:
            with open(path, "rb") as f:
                return f.read()
        except FileNotFoundError:
            return None
        except OSError as e:
            raise ResourceError(f"Cannot read {path!r} (private_key_file): {e.strerror}.") from None

    def _public(self):
        """The public line of the private key file, or None where there is no file."""
        private = self._read(self.path)
        if private is None:
            return None
        try:
            return key_pairs.public_from_private(private)
        except ValueError as e:
            raise ResourceError(
                f"private_key_file {self.path!r} can't be used: {e}. Name another file, or move this one away to "
                "have a new key made."
            ) from None

    def _is_made_by_us(self):
        """Whether the public key file proves that we made this private key for this key pair."""
        private, content = self._read(self.path), self._read(self._public_path)
        if private is None or content is None:
            return False
        try:
            public = key_pairs.public_from_private(private)
        except ValueError:
            return False
        return key_pairs.made_for(self.name, public, content.decode(errors="replace"))

    def _is_lone_public_half(self):
        """Whether only the public key file is left of a key that we made for this key pair."""
        content = self._read(self._public_path)
        return (
            content is not None
            and self._read(self.path) is None
            and key_pairs.marked_for(self.name, content.decode(errors="replace"))
        )

    def _left_behind(self):
        """In teardown: files that we made and a killed run left, before EC2 had its half or after that was deleted."""
        if self.params["state"] != "absent" or not self.params["remove_private_key"]:
            return None
        public = self._public() if self._is_made_by_us() else None
        if not (public or self._is_lone_public_half() or key_pairs.copies(self.path)):
            return None
        return {
            "name": self.name,
            "id": None,
            "type": key_pairs.key_type(public) if public else None,
            "fingerprint": key_pairs.fingerprint(public) if public else None,
            **self._file_state(),
            "tags": dict(self.wanted_tags),  # the public key file, or a copy's name, has proved that it is ours
        }

    def _keep_file(self, desired):
        """Make the private key where it is missing, and make it private."""
        key_pairs.remove_copies(self.path)
        try:
            if self._read(self.path) is None:
                private, public = key_pairs.generate(self.params["type"])
                self._write(private, public)
                desired["fingerprint"] = key_pairs.fingerprint(public)
            elif not key_pairs.is_private(key_pairs.mode_of(self.path)):
                os.chmod(self.path, MODE)
        except FileExistsError as e:
            raise ResourceError(f"{e.filename2 or e.filename} came into being meanwhile. Run again.") from None
        except OSError as e:
            raise ResourceError(f"Cannot keep private_key_file {self.path!r}: {e.strerror} ({e.filename}).") from None

    def _write(self, private, public):
        old = self._read(self._public_path)
        if old is not None:
            if not old.decode(errors="replace").strip().endswith(key_pairs.MADE_BY):
                raise ResourceError(
                    f"{self._public_path!r} is somebody's public key without its private half. Move it away, or name "
                    "another private_key_file."
                )
            os.unlink(self._public_path)
        # The public half first: a private half is then never without the proof of who made it.
        key_pairs.write_new(self._public_path, key_pairs.marker(self.name, public).encode(), 0o644)
        key_pairs.write_new(self.path, private, MODE)

    # --- EC2 ------------------------------------------------------------------------------------------------------

    def _import(self, desired):
        self.client("ec2").import_key_pair(
            KeyName=self.name,
            PublicKeyMaterial=self._public().encode(),
            **tag_specifications("key-pair", desired.get("tags")),
        )

    def _refuse_other(self, theirs, ours):
        if theirs != ours:
            raise ResourceError(
                f"The key pair {self.name!r} in EC2 (fingerprint {theirs}) is not that of private_key_file "
                f"{self.path!r} ({ours}). {self._way_out()}"
            )

    @staticmethod
    def _way_out():
        return (
            "Running instances hold the public half that is in EC2, so put its private half there, or give up the old "
            "key: take the stage away with its teardown playbook (playbooks/teardown_network.yml), or set replace to "
            "true and replace the instances."
        )


def main():
    spec = argument_spec(
        name={"type": "str", "required": True},
        # A path is no secret, whatever its name looks like.
        private_key_file={"type": "path", "required": True, "no_log": False},
        type={"type": "str", "choices": ["ed25519", "rsa"], "default": "ed25519"},
        replace={"type": "bool", "default": False},
        remove_private_key={"type": "bool", "default": True, "no_log": False},
    )
    module = AnsibleAWSModule(argument_spec=spec, supports_check_mode=True)
    if not key_pairs.HAS_CRYPTOGRAPHY:
        module.fail_json(msg=missing_required_lib("cryptography"))
    KeyPair(module).run()


if __name__ == "__main__":
    main()
