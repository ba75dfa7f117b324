# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""One revision with two containers, its log group, and a role that may do nothing but start it."""

from readback import Expectations, client, pages, tags_of

FAMILY, ROLE, LOGS = "molecule-task-task", "molecule-task-task-execution-role", "/ecs/molecule-task-task"
OURS = {"handson:cluster": "molecule-task-cluster", "handson:service": "molecule-task-service"}
SECRET = "arn:aws:secretsmanager:ap-southeast-1:123456789012:secret:vets/db-AbCdEf"
PARAMETER = "arn:aws:ssm:ap-southeast-1:123456789012:parameter/vets"
ecs, expect = client("ecs"), Expectations()

# --- task definition
answer = ecs.describe_task_definition(taskDefinition=FAMILY, include=["TAGS"])
task = answer["taskDefinition"]
expect.contains("task definition", task, {"revision": 1, "cpu": "256", "memory": "512", "networkMode": "bridge"})
expect.equal("launch types", task["requiresCompatibilities"], ["EC2"])
expect.equal("execution role", task["executionRoleArn"], f"arn:aws:iam::123456789012:role/{ROLE}")
expect.equal("task role", task.get("taskRoleArn"), None)
expect.contains("tags", tags_of(answer["tags"]), OURS)
containers = {c["name"]: c for c in task["containerDefinitions"]}
expect.equal("containers", sorted(containers), ["molecule-task-app", "sidecar"])
app = containers["molecule-task-app"]
repository = "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/molecule-task"
expect.contains(
    "container",
    app,
    {"image": f"{repository}:latest", "memoryReservation": 200, "memory": 400, "essential": True, "stopTimeout": 30},
)
ports = expect.only("ports", app["portMappings"])
expect.contains("port", ports, {"containerPort": 9460, "hostPort": 0})
expect.equal(
    "environment",
    sorted((e["name"], e["value"]) for e in app["environment"]),
    [("SPRING_PROFILES_ACTIVE", "hsqldb"), ("WORKERS", "4")],
)
expect.equal(
    "secrets",
    {s["name"]: s["valueFrom"] for s in app["secrets"]},
    {
        "DB_PASSWORD": f"{SECRET}:password::",
        "DB_USER": f"{SECRET}:user::",
        "MAIL_TOKEN": f"{PARAMETER}/mail",
        "MAP_KEY": "/vets/map",
    },
)
expect.contains("health check", app["healthCheck"], {"interval": 10, "retries": 3})
expect.equal("logs go by", app["logConfiguration"]["logDriver"], "awslogs")
expect.equal(
    "logs go to",
    app["logConfiguration"]["options"],
    {"awslogs-group": LOGS, "awslogs-region": "ap-southeast-1", "awslogs-stream-prefix": "molecule-task-app"},
)
expect.contains("sidecar", containers["sidecar"], {"memory": 32, "essential": False})

# --- log group
group = expect.only("log groups", pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=LOGS))
expect.contains("log group", group, {"logGroupName": LOGS, "retentionInDays": 7})
log_arn = f"arn:aws:logs:ap-southeast-1:123456789012:log-group:{LOGS}"
expect.contains("tags of the log group", client("logs").list_tags_for_resource(resourceArn=log_arn)["tags"], OURS)

# --- execution role: taken by ECS tasks only, and every statement is held against what a task needs
role = client("iam").get_role(RoleName=ROLE)["Role"]
trust = expect.only("statements of trust", role["AssumeRolePolicyDocument"]["Statement"])
expect.equal("who may take the role", str(trust["Principal"]["Service"]).strip("[]'"), "ecs-tasks.amazonaws.com")
expect.contains("tags of the role", tags_of(role.get("Tags", [])), OURS)
expect.equal("policies", pages("iam", "list_attached_role_policies", "AttachedPolicies", RoleName=ROLE), [])
allowed: dict[str, list[str]] = {}
for name in pages("iam", "list_role_policies", "PolicyNames", RoleName=ROLE):
    document = client("iam").get_role_policy(RoleName=ROLE, PolicyName=name)["PolicyDocument"]
    for statement in document["Statement"]:
        expect.equal("effect", statement["Effect"], "Allow")
        actions, resources = (statement[k] for k in ("Action", "Resource"))
        for action in [actions] if isinstance(actions, str) else actions:
            allowed[action] = sorted([resources] if isinstance(resources, str) else resources)
secrets = [SECRET, f"{PARAMETER}/mail", f"{PARAMETER}/map"]
image = ["arn:aws:ecr:ap-southeast-1:123456789012:repository/molecule-task"]
expect.equal(
    "what the role may do",
    allowed,
    {
        "ecr:GetAuthorizationToken": ["*"],  # this action knows no resources
        "ecr:BatchCheckLayerAvailability": image,
        "ecr:BatchGetImage": image,
        "ecr:GetDownloadUrlForLayer": image,
        "logs:CreateLogStream": [f"{log_arn}:*"],
        "logs:PutLogEvents": [f"{log_arn}:*"],
        "secretsmanager:GetSecretValue": secrets,
        "ssm:GetParameters": secrets,
    },
)
expect.finish()
