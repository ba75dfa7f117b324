#!/usr/bin/python
# Copyright: the handson.ecs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

DOCUMENTATION = r"""
module: codeconnection
version_added: 0.1.0
short_description: Keep a connection to a source code provider
description:
  - Makes and deletes a connection of AWS CodeConnections (once CodeStar connections), by which pipelines read a
    repository, and tells its status.
  - A new connection is C(PENDING) until a person approves it in the console, once. No API can do that; the result has
    the page to do it on. The module does not wait for it and does not fail.
author: The handson.ecs contributors (@handson-ecs)
extends_documentation_fragment:
  - amazon.aws.common.modules
  - amazon.aws.region.modules
  - amazon.aws.boto3
  - handson.ecs.resource
options:
  name:
    description:
      - Name of the connection, at most 32 characters. Unique in the account.
      - One of O(name) and O(arn) is needed.
    type: str
  arn:
    description:
      - ARN of a connection that is there already. Only its status is looked at. Nothing is made, tagged or deleted,
        whatever O(state) and O(owner) say.
    type: str
  provider:
    description: Where the repositories are. AWS cannot change it later.
    type: str
    choices: [GitHub, Bitbucket, GitLab]
    default: GitHub
"""

EXAMPLES = r"""
- name: Keep the connection to GitHub
  handson.ecs.codeconnection:
    name: petclinic-rest-github
    owner: {"handson:service": petclinic-rest-service}
  register: connection

- name: Say where to approve it
  ansible.builtin.debug:
    msg: "Approve the connection: {{ connection.connection.console_url }}"
  when: not connection.available
"""

RETURN = r"""
connection:
  description: The connection in the names of the options, with its ARN, status and page in the console.
  returned: always
  type: dict
  sample:
    name: petclinic-rest-github
    arn: arn:aws:codeconnections:ap-southeast-1:123456789012:connection/aEXAMPLE-8aad-4d5d-8878-dfcab0bc441f
    provider: GitHub
    status: PENDING
    console_url: https://ap-southeast-1.console.aws.amazon.com/codesuite/settings/123456789012/ap-southeast-1/codeconnections/connections/aEXAMPLE-8aad-4d5d-8878-dfcab0bc441f
    tags: {"handson:service": petclinic-rest-service}
available:
  description: Whether a pipeline can use the connection. In check mode of one that is not there, V(false).
  returned: with O(state=present)
  type: bool
"""

from ansible_collections.handson.ecs.plugins.module_utils.compare import dict_to_tags, foreign_because, tags_to_dict
from ansible_collections.handson.ecs.plugins.module_utils.connections import (
    connection_from_aws,
    connections_named,
    is_arn,
    most_usable,
    name_fault,
)
from ansible_collections.handson.ecs.plugins.module_utils.resource import (
    KNOWN_AFTER_APPLY,
    Resource,
    ResourceError,
    argument_spec,
    ignore_missing,
)
from ansible_collections.handson.ecs.plugins.module_utils.secrets import TOKENS
from ansible_collections.handson.ecs.plugins.module_utils.unlogged import unlogged_module

GONE = "ResourceNotFoundException"


class CodeConnection(Resource):
    kind = "connection"
    result_key = "connection"
    immutable = frozenset({"provider"})
    # The API reference names no error for a name that is taken; the service has this one for its other things.
    exists_codes = ("ResourceAlreadyExistsException",)

    def __init__(self, module):
        super().__init__(module)
        self._ours = []  # all that have our name and our tags

    @property
    def name(self):
        return self.params["name"] or self.params["arn"]

    def run(self):
        if self.params["arn"]:
            self._look()
        fault = name_fault(self.params["name"])
        if fault:
            self.module.fail_json(
                msg=f"The name of the connection {self.name!r} cannot be: {fault}. Set pipeline_connection_name."
            )
        super().run()

    def _look(self):
        """Tell what there is to tell of somebody else's connection, and leave the module."""
        arn = self.params["arn"]
        if not is_arn(arn):
            if not arn.startswith("arn:") or TOKENS.search(arn):  # shown neither here nor among the arguments (-vvv)
                self.module.no_log_values.add(arn)
            self.module.fail_json(
                msg="What is given as arn is not the ARN of a connection, which is "
                "arn:aws:codeconnections:<region>:<account>:connection/<id>. Set pipeline_connection_arn to one, "
                "or leave it empty to have a connection made."
            )
        found = None
        try:
            found = ignore_missing(lambda: self.client("codeconnections").get_connection(ConnectionArn=arn), GONE)
        except Exception as e:
            self.module.fail_json_aws(e, msg=f"Could not look at the connection {arn}")
        if self.params["state"] == "absent":
            self.module.exit_json(changed=False, connection=None)
        if not found:
            self.module.fail_json(
                msg=f"There is no connection {arn}. Set pipeline_connection_arn to one that is there (in this account and "
                "region), or leave it empty to have one made."
            )
        connection = connection_from_aws(found["Connection"], {})
        self.module.exit_json(changed=False, connection=connection, available=connection["status"] == "AVAILABLE")

    def get(self):
        named = connections_named(self.client("codeconnections"), self.name)
        found = [connection_from_aws(c, self._tags(c["ConnectionArn"])) for c in named]
        self._ours = [c for c in found if not foreign_because(c["tags"], self.params["owner"])]
        return most_usable(self._ours or found)

    def _tags(self, arn):
        answer = ignore_missing(lambda: self.client("codeconnections").list_tags_for_resource(ResourceArn=arn), GONE)
        return tags_to_dict((answer or {}).get("Tags"))

    def desired(self, current):
        return self.given("name", "provider")

    def create(self, desired):
        tags = dict_to_tags(desired.get("tags") or {})
        self.client("codeconnections").create_connection(
            ConnectionName=self.name, ProviderType=desired["provider"], **({"Tags": tags} if tags else {})
        )

    def update(self, current, desired, changes):
        if "tags" in changes:
            self.client("codeconnections").tag_resource(ResourceArn=current["arn"], Tags=dict_to_tags(desired["tags"]))
        elif changes:
            raise ResourceError(f"A connection named {self.name!r} was made by somebody else meanwhile. Run again.")

    def delete(self, current):
        for connection in self._ours:
            ignore_missing(
                lambda arn=connection["arn"]: self.client("codeconnections").delete_connection(ConnectionArn=arn), GONE
            )

    def after(self, current, changed):
        if "arn" not in current:  # check mode of one that is not there
            current.update(arn=KNOWN_AFTER_APPLY, status=KNOWN_AFTER_APPLY, console_url=KNOWN_AFTER_APPLY)
        return {"available": current["status"] == "AVAILABLE"}


def main():
    spec = argument_spec(
        name={"type": "str"},
        arn={"type": "str"},
        provider={"type": "str", "choices": ["GitHub", "Bitbucket", "GitLab"], "default": "GitHub"},
    )
    CodeConnection(
        unlogged_module(argument_spec=spec, supports_check_mode=True, required_one_of=[("name", "arn")])
    ).run()


if __name__ == "__main__":
    main()
