# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""What the documentation says about playbooks, roles, modules, commands and IAM actions is what is there."""

import ast
import fnmatch
import importlib.resources
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import boto3
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
READMES = ("README.md", "README.ko.md")
ROLES = sorted(p.parents[1].name for p in ROOT.glob("roles/*/tasks/main.yml"))
MODULES = sorted(p.stem for p in ROOT.glob("plugins/modules/*.py"))
#: Stages have a teardown playbook of the same name.
STAGES = sorted(
    p.stem for p in ROOT.glob("playbooks/*.yml") if (p.parent / f"teardown_{p.name}").exists() and p.stem != "preflight"
)


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def fenced(markdown):
    return re.findall(r"^```(\w*)\n(.*?)^```$", markdown, re.MULTILINE | re.DOTALL)


def examples(markdown):
    """The YAML of a document: fenced as such, or indented after an empty line, as the roles' READMEs have it."""
    found = [block for language, block in fenced(markdown) if language == "yaml"]
    return found + re.findall(r"(?<=\n\n)((?: {4}.*\n|\n)+)", re.sub(r"^```.*?^```$", "", markdown, flags=re.M | re.S))


# --- the picture ------------------------------------------------------------------------------------------------------


def test_the_picture_is_what_its_source_gives():
    command = [sys.executable, str(DOCS / "draw_architecture.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# --- what is named is there -------------------------------------------------------------------------------------------

DOCUMENTS = sorted(
    str(p.relative_to(ROOT)) for p in [*ROOT.glob("*.md"), *DOCS.glob("*.md"), *ROOT.glob("roles/*/README.md")]
)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_playbooks_that_are_named_exist(document):
    for name in re.findall(r"\bplaybooks/[\w/]+\.yml", text(document)):
        assert (ROOT / name).is_file(), name


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text(document)):
        if not link.startswith(("http:", "https:")):
            assert ((ROOT / document).parent / link).exists(), link


@pytest.mark.parametrize("readme", READMES)
def test_every_stage_is_in_the_table_with_its_roles_and_its_teardown(readme):
    rows = [line for line in text(readme).splitlines() if line.startswith("|")]
    for stage in STAGES:
        row = next((r for r in rows if f"`playbooks/{stage}.yml`" in r), "")
        assert f"`playbooks/teardown_{stage}.yml`" in row, stage
        plays = yaml.safe_load(text(f"playbooks/{stage}.yml"))
        for role in [role for play in plays for role in play.get("roles", [])]:
            name = (role["role"] if isinstance(role, dict) else role).removeprefix("handson.ecs.")
            assert f"`{name}`" in row, f"{stage}: {name}"


def commands(readme):
    """The lines of its shell blocks, without comments and output."""
    shell = "\n".join(block for language, block in fenced(text(readme)) if language == "sh")
    return [re.sub(r"\s+#.*", "", line).strip() for line in shell.splitlines() if line.strip()]


def test_both_readmes_give_the_same_commands():
    first, second = (commands(r) for r in READMES)
    assert first and first == second


def test_both_readmes_show_the_same_transcripts_and_settings():
    first, second = ([b for b in fenced(text(r)) if b[0] in ("text", "yaml", "diff")] for r in READMES)
    without_comments = [
        [(language, re.sub(r"(?m)(^|\s+)#.*$", "", block)) for language, block in each] for each in (first, second)
    ]
    assert without_comments[0] and without_comments[0] == without_comments[1]


def test_targets_of_make_that_the_readmes_name_exist():
    targets = set(re.findall(r"^([a-z-]+):", text("Makefile"), re.MULTILINE))
    for readme in READMES:
        for command in commands(readme):
            for target in re.findall(r"^make ([a-z][a-z-]*)(?!\S*=)", command):
                assert target in targets, command


@pytest.mark.parametrize("document", DOCUMENTS)
def test_variables_in_examples_are_known(document):
    if document.startswith("roles/"):
        assert examples(text(document)), "no example is found"
    known = {name for p in ROOT.glob("roles/*/defaults/main.yml") for name in yaml.safe_load(p.read_text()) or {}}
    prefixes = tuple(f"{p.name}_" for p in ROOT.glob("roles/*")) + ("stack_", "aws_")
    for block in examples(text(document)):
        for name in re.findall(r"^\s*(?:- )?([a-z_]+):", block, re.MULTILINE):
            assert not name.startswith(prefixes) or name in known, name


@pytest.mark.parametrize("role", [r for r in ROLES if (ROOT / "roles" / r / "README.md").exists()])
def test_variables_in_a_roles_table_are_its_own_or_names(role):
    known = {n for r in (role, "naming") for n in yaml.safe_load(text(f"roles/{r}/defaults/main.yml"))}
    for line in text(f"roles/{role}/README.md").splitlines():
        if line.startswith("| `"):
            for name in re.findall(r"`(\w+)`", line.split("|")[1]):
                assert name in known or not name.startswith(f"{role}_"), name


def test_every_module_is_in_the_list_of_modules():
    listed = re.findall(r"^\| `(\w+)` \|", text("docs/modules.md"), re.MULTILINE)
    assert sorted(listed) == MODULES


def test_modules_that_show_what_they_do_are_listed():
    plugins = (ROOT / "plugins/action").glob("*.py")
    live = sorted(p.stem for p in plugins if "LiveAction" in p.read_text(encoding="utf-8"))
    said = text("docs/modules.md").rsplit("\n\n", 1)[-1].split(" have an action plugin")[0]
    assert re.findall(r"`(\w+)`", said) == live


@pytest.mark.parametrize("role", ROLES)
def test_roles_are_described(role):
    info = yaml.safe_load(text(f"roles/{role}/meta/main.yml"))["galaxy_info"]
    assert info["description"] != "TODO" and info["license"] == "GPL-3.0-or-later"


# --- IAM --------------------------------------------------------------------------------------------------------------
# Which calls a role makes is read from the code: the modules that its tasks name, their calls, and the calls of the
# shared functions that they use.

PREFIXES = {"elbv2": "elasticloadbalancing", "resourcegroupstaggingapi": "tag"}
SERVICES = (
    "application-autoscaling", "autoscaling", "cloudformation", "cloudwatch", "codebuild", "codeconnections",
    "codepipeline", "ec2", "ecr", "ecs", "elbv2", "events", "iam", "logs", "resourcegroupstaggingapi", "s3", "sns", "ssm",
    "sts",
)  # fmt: skip
#: S3's operations that IAM knows by another name (Service Authorization Reference, Amazon S3)
NAMED_OTHERWISE = {
    "s3:DeleteBucketLifecycle": {"s3:PutLifecycleConfiguration"},
    "s3:DeleteObjects": {"s3:DeleteObject", "s3:DeleteObjectVersion"},
    "s3:GetBucketEncryption": {"s3:GetEncryptionConfiguration"},
    "s3:GetBucketLifecycleConfiguration": {"s3:GetLifecycleConfiguration"},
    "s3:GetPublicAccessBlock": {"s3:GetBucketPublicAccessBlock"},
    "s3:HeadBucket": {"s3:ListBucket"},
    "s3:ListBuckets": {"s3:ListAllMyBuckets"},
    "s3:ListMultipartUploads": {"s3:ListBucketMultipartUploads"},
    "s3:ListObjectVersions": {"s3:ListBucketVersions"},
    "s3:PutBucketEncryption": {"s3:PutEncryptionConfiguration"},
    "s3:PutBucketLifecycleConfiguration": {"s3:PutLifecycleConfiguration"},
    "s3:PutPublicAccessBlock": {"s3:PutBucketPublicAccessBlock"},
}
WAITERS = {"vpc_available": "describe_vpcs"}
NO_PERMISSION_NEEDED = {"sts:GetCallerIdentity"}
#: What modules of other collections call, with the options that our tasks give.
OTHER_COLLECTIONS = {"amazon.aws.ec2_instance_info": {"ec2:DescribeInstances"}}
SHARED = "ansible_collections.handson.ecs.plugins.module_utils"


@cache
def operations():
    """Return {(service, method): IAM action} and {method: services}."""
    actions, services = {}, {}
    for service in SERVICES:
        client = boto3.client(service, region_name="eu-west-1", aws_access_key_id="-", aws_secret_access_key="-")
        for method, operation in client.meta.method_to_api_mapping.items():
            actions[service, method] = f"{PREFIXES.get(service, service)}:{operation}"
            services.setdefault(method, set()).add(service)
    return actions, services


def calls_in(code, where):
    """Return the IAM actions of the API calls in a piece of code."""
    actions, services = operations()
    code = re.sub(r'\s*\.get_waiter\("(\w+)"\)', lambda m: f".{WAITERS[m[1]]}", code)
    code = re.sub(r'\s*\.get_paginator\("(\w+)"\)', r".\1", code)
    named = set(re.findall(r'client\("([\w-]+)"\)', code))
    found = set()
    # Who is called stands before the method: a client, a variable named like it, or a string in a list of arguments.
    caller = r'(?:client\("(?P<client>[\w-]+)"\)\s*|(?P<name>\w+)\s*|"(?P<before>[\w-]+)",\s*)?'
    pattern = caller + r"""(?:\.|["'])(?P<method>[a-z]+(?:_[a-z0-9]+)+)\b"""
    for m in re.finditer(pattern, code):
        method = m["method"]
        if method not in services or method in (
            "can_paginate",
            "get_paginator",
            "get_waiter",
            "generate_presigned_url",
        ):
            continue
        said = {m["client"], m["name"], m["before"]} & services[method]
        possible = said or (services[method] & named) or services[method]
        assert len(possible) == 1, f"{where}: whose {method} is it? {sorted(possible)}"
        action = actions[next(iter(possible)), method]
        found |= NAMED_OTHERWISE.get(action, {action})
    # A method of one word is a word like any other, but after a client: sns.subscribe(…).
    for m in re.finditer(r'(?:client\("([\w-]+)"\)|\b(\w+))\.([a-z]+)\(', code):
        found |= {actions[who, m[3]] for who in {m[1], m[2]} if (who, m[3]) in actions}
    return found - NO_PERMISSION_NEEDED


class Source:
    """A Python file: its calls, and the shared functions it uses, name by name."""

    def __init__(self, path):
        self.path = path
        tree = ast.parse(path.read_text(encoding="utf-8"))
        self.aliases, self.names = {}, {}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(SHARED):
                for name in node.names:
                    if node.module == SHARED:
                        self.aliases[name.asname or name.name] = name.name
                    else:
                        module = node.module.removeprefix(f"{SHARED}.").replace(".", "/")
                        self.names[name.asname or name.name] = (module, name.name)
        blocks = ("DOCUMENTATION", "EXAMPLES", "RETURN")
        code = [n for n in tree.body if not (isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") in blocks)]
        self.tree = ast.Module(code, [])
        self.parts = {n.name: n for n in self.tree.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        self.parts |= {n.targets[0].id: n for n in self.tree.body if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name)}

    def used(self, node):
        """The shared functions, and tables, that a piece of this file refers to."""
        for n in ast.walk(node):
            if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id in self.aliases:
                yield self.aliases[n.value.id], n.attr
            elif isinstance(n, ast.Name) and n.id in self.names:
                yield self.names[n.id]
            elif isinstance(n, ast.Name) and n.id in self.parts and node is not self.tree:
                yield str(self.path.relative_to(ROOT / "plugins/module_utils").with_suffix("")), n.id


@cache
def shared(module):
    path = ROOT / f"plugins/module_utils/{module}.py"
    return Source(path) if path.exists() else None


@cache
def calls_of_module(name):
    source = Source(ROOT / f"plugins/modules/{name}.py")
    found = calls_in(ast.unparse(source.tree).replace("'", '"'), name)
    todo, seen = list(source.used(source.tree)), set()
    while todo:
        module, part = todo.pop()
        of = shared(module)
        if (module, part) in seen or of is None or part not in of.parts:
            continue
        seen.add((module, part))
        found |= calls_in(ast.unparse(of.parts[part]).replace("'", '"'), f"{module}.{part}")
        todo += of.used(of.parts[part])
    return frozenset(found)


def modules_of_role(role):
    tasks = "".join(p.read_text() for p in (ROOT / "roles" / role / "tasks").glob("*.yml"))
    names = set(re.findall(r"^\s+handson\.ecs\.(\w+):", tasks, re.MULTILINE))
    return {"preflight_info"} if names == {"preflight"} else names & set(MODULES)


#: What `ecs_cluster` calls with `only_refuse` (test_ecs_cluster.py counts it): a role that uses it no other way needs
#: no more.
ONLY_REFUSE = {"ecs:DescribeClusters", "ecs:DescribeServices", "ecs:ListServices"}


def calls_of_role(role):
    modules = modules_of_role(role)
    tasks = [t for p in (ROOT / "roles" / role / "tasks").glob("*.yml") for t in yaml.safe_load(p.read_text()) or []]
    others = set().union(*(OTHER_COLLECTIONS[key] for t in tasks for key in t if key.startswith("amazon.aws.")))
    uses = [t["handson.ecs.ecs_cluster"] for t in tasks if "handson.ecs.ecs_cluster" in t]
    if uses and all(use.get("only_refuse") is True for use in uses):
        return ONLY_REFUSE.union(others, *(calls_of_module(m) for m in modules - {"ecs_cluster"}))
    return others.union(*(calls_of_module(m) for m in modules))


ACTION = r"`([a-z0-9-]+:[A-Z]\w+)`"


def documented():
    """Return {role: (calls, further actions)} of the table in docs/iam.md."""
    table = {}
    for line in text("docs/iam.md").splitlines():
        if m := re.match(r"\| `(\w+)` \|(.*)\|(.*)\|$", line):
            table[m[1]] = (set(re.findall(ACTION, m[2])), set(re.findall(ACTION, m[3])))
    return table


def test_some_calls_are_found():
    assert calls_of_module("target_group") >= {"elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:AddTags"}
    assert "ec2:DescribeVpcs" in calls_of_module("security_group")  # by way of module_utils/names.py
    assert "ecs:DescribeServices" in calls_of_module("ecs_service")  # by way of module_utils/rollout.py
    assert "tag:GetResources" in calls_of_module("leftovers")
    assert "cloudformation:DescribeStackEvents" in calls_of_module("cloudformation_stack")  # module_utils/stack_events.py
    assert "sns:ListTopics" in calls_of_module("leftovers")  # by way of module_utils/leftover_probes/watching.py
    assert "ec2:DescribeNatGateways" in calls_of_module("leftovers")  # from a table there
    assert "sns:Unsubscribe" in calls_of_module("sns_topic")
    assert calls_of_module("bucket") >= {"s3:DeleteObjectVersion", "s3:ListBucket", "s3:PutEncryptionConfiguration"}


@pytest.mark.parametrize("role", [r for r in ROLES if r != "local_endpoint"])
def test_the_calls_of_a_role_are_documented(role):
    assert documented().get(role, (set(), set()))[0] == calls_of_role(role)


@pytest.mark.parametrize("role", [r for r in ROLES if (ROOT / "roles" / r / "README.md").exists()])
def test_the_actions_in_a_roles_readme_are_those_of_docs_iam(role):
    section = re.search(r"^## IAM actions$(.*?)(?=^## |\Z)", text(f"roles/{role}/README.md"), re.MULTILINE | re.DOTALL)
    if section:
        calls, further = documented()[role]
        # A KMS key of one's own is the exception that docs/iam.md tells in words.
        assert {a for a in re.findall(ACTION, section[1]) if not a.startswith("kms:")} == calls | further

# CloudFormation makes a stack's things with the permissions of whoever runs the playbook. Which ones a type of resource
# takes stands in AWS's own schema of it, and cfn-lint carries those.

#: Of these, what only properties take that our templates don't have.
UNUSED = (
    "autoscaling:*InstanceRefresh", "autoscaling:*LifecycleHook",
    "autoscaling:*NotificationConfiguration", "autoscaling:*Processes", "autoscaling:Attach*", "autoscaling:Detach*",
    "cloudwatch:*", "cognito-idp:*", "ec2:*IamInstanceProfile*", "ec2:*SecurityGroup*Egress", "ec2:*SubnetCidrBlock",
    "ec2:*Volume", "ec2:*VpnGateway", "ec2:*onitorInstances", "ec2:CreateVpcEncryptionControl",
    "ec2:DescribeIpamPools", "ec2:Get*", "ec2:ModifyInstanceCreditSpecification",
    "ec2:ModifyInstanceMaintenanceOptions", "ec2:ModifyInstancePlacement", "ec2:ModifyPrivateDnsNameOptions",
    "ec2:ModifyVpcTenancy", "ecs:PutAccountSetting*", "ecs:PutClusterCapacityProviders",
    "elasticloadbalancing:ModifyCapacityReservation", "elasticloadbalancing:ModifyIpPools",
    "elasticloadbalancing:ModifyListenerAttributes", "iam:*GroupPolicy", "iam:*RolePermissionsBoundary",
    "iam:*UserPolicy", "iam:UpdateRoleDescription", "kms:*", "managed-fleets:*", "ssm:CreateAssociation",
    "ssm:DeleteAssociation", "vpc-lattice:*",
)  # fmt: skip
#: (role, template, unused in this one, asked for besides). The roles in the cluster's template have no inline policies;
#: the image of a workstation is looked up by EC2.
STACKS = [
    ("cluster_stack", "cluster.yml", {"iam:PutRolePolicy", "iam:DeleteRolePolicy"}, set()),
    ("workstation", "ec2.yml", set(), {"ssm:GetParameters"}),
]


@cache
def permissions_of_type(name):
    """Return the IAM actions that making, reading, changing and deleting a resource of this type may take."""
    schemas = importlib.resources.files("cfnlint") / "data" / "schemas"
    key = json.loads((schemas / "providers" / "us-east-1.json").read_text())[name]
    handlers = json.loads((schemas / "resources" / f"{key}.json").read_text())["handlers"]
    verbs = ("create", "read", "update", "delete")
    return frozenset(p for verb in verbs for p in handlers.get(verb, {}).get("permissions", ()))


@pytest.mark.parametrize(("role", "template", "unused", "besides"), STACKS)
def test_what_the_resources_of_a_stack_take_is_documented(role, template, unused, besides):
    types = set(re.findall(r"^    Type: (AWS::\w+::\w+)$", text(f"roles/{role}/files/{template}"), re.MULTILINE))
    asked = set().union(*(permissions_of_type(t) for t in types)) - unused
    asked = {a for a in asked if not any(fnmatch.fnmatchcase(a, p) for p in UNUSED)}
    calls, further = documented()[role]
    assert not {a for a in asked if not fnmatch.filter(calls | further, a)}
    assert {f for f in further if not any(fnmatch.fnmatchcase(f, a) for a in asked)} == besides


def test_the_policies_allow_what_is_needed_and_nothing_else():
    needed = set().union(*(calls | further for calls, further in documented().values()))
    allowed = []
    for language, block in fenced(text("docs/iam.md")):
        if language == "json":
            policy = json.loads(block)
            # A managed policy has at most 6144 characters, white space aside (IAM quotas).
            assert len(re.sub(r"\s", "", block)) <= 6144
            for statement in policy["Statement"]:
                actions = statement["Action"]
                allowed += [actions] if isinstance(actions, str) else actions
    assert not {a for a in needed if not any(fnmatch.fnmatchcase(a, p) for p in allowed)}
    assert not [p for p in allowed if not any(fnmatch.fnmatchcase(a, p) for a in needed)]
