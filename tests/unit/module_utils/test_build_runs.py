# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from ansible_collections.handson.ecs.plugins.module_utils import build_runs as code
from ansible_collections.handson.ecs.plugins.module_utils.build_remedies import remedy


def variable(name, value, kind="PLAINTEXT"):
    return {"name": name, "value": value, "type": kind}


@pytest.mark.parametrize(
    "variables, text, shown",
    [
        ([], "mvn clean package", "mvn clean package"),
        ([variable("DB_PASSWORD", "hunter22")], "login hunter22 hunter22!", "login *** ***!"),
        ([{"name": "DB_PASSWORD", "value": "hunter22"}], "hunter22", "***"),  # plain is the default
        ([variable("DB_PASSWORD", "abc")], "abc", "abc"),  # too short: it would mask half of every line
        ([variable("API_TOKEN", "line-one\nline-two")], "line-two", "***"),
        ([variable("A_TOKEN", "abcd"), variable("B_TOKEN", "abcd1234")], "abcd1234", "***"),
        ([variable("IMAGE_NAME", "petclinic")], "petclinic", "petclinic"),
        ([variable("DB_PASSWORD", "petclinic/password", "SECRETS_MANAGER")], "petclinic/password", "petclinic/password"),
        ([], "https://me:word@github.com/x", "https://***@github.com/x"),
        ([], "https://github.com/x@y", "https://github.com/x@y"),
        ([], "ghp_" + "a" * 36 + " github_pat_" + "b" * 30, "*** ***"),
        ([], "export MY_SECRET=abc JAVA_HOME=/opt/java", "export MY_SECRET=*** JAVA_HOME=/opt/java"),
        ([], "docker login --password-stdin", "docker login --password-stdin"),
    ],
)
def test_secrets_are_taken_out(variables, text, shown):
    assert code.masker(variables)(text) == shown


@pytest.mark.parametrize(
    "message, lines",
    [
        ("one\n", ["one"]),
        ("one\ntwo\n", ["one", "two"]),
        ("one\r\n", ["one"]),
        ("10%\r50%\r100%\n", ["100%"]),
        ("\x1b[1;31mERROR\x1b[m at\tx\x07", ["ERROR at    x"]),
        ("", [""]),
        ("x" * 600, ["x" * 500 + " …"]),
    ],
)
def test_lines_are_fit_for_a_terminal(message, lines):
    assert code.log_lines(message) == lines


def test_the_phase_that_failed_first_counts():
    build = {
        "phases": [
            {"phaseType": "PRE_BUILD", "phaseStatus": "SUCCEEDED"},
            {"phaseType": "BUILD", "phaseStatus": "FAILED"},
            {"phaseType": "POST_BUILD", "phaseStatus": "FAILED"},
        ]
    }
    assert code.failed_phase(build)["phaseType"] == "BUILD"
    assert code.failed_phase({"phases": [{"phaseType": "COMPLETED"}]}) is None and code.failed_phase({}) is None


def test_what_codebuild_says_of_a_phase():
    phase = {"contexts": [{"statusCode": "CLIENT_ERROR", "message": "no\n access"}, {"statusCode": "", "message": ""}, {}]}
    assert code.context(phase) == "CLIENT_ERROR: no access" and code.context({}) == ""


def build(number, **more):
    return {"id": f"b:{number}", "buildNumber": number, "buildStatus": "IN_PROGRESS", "sourceVersion": "master", **more}


def pushes_to(pattern, events="PUSH", exclude=False):
    head = {"type": "HEAD_REF", "pattern": pattern, "excludeMatchedPattern": exclude}
    return {"filterGroups": [[{"type": "EVENT", "pattern": events}, head]]}


COMMIT = "686fcdc44df8358e3382e80379d7abec66f47e38"
HOOK = {"initiator": "GitHub-Hookshot/951dca1"}
MASTER = {"sourceVersion": "master"}


@pytest.mark.parametrize(
    "project, builds, version, followed",
    [
        (MASTER, [], None, None),
        (MASTER, [build(1), build(2)], None, "b:2"),
        (MASTER, [build(1), build(2, buildStatus="SUCCEEDED")], None, "b:1"),
        (MASTER, [build(1, buildComplete=True)], None, None),
        (MASTER, [build(1, initiator="codepipeline/x")], None, None),
        (MASTER, [build(1)], "other", None),
        (MASTER, [build(1, resolvedSourceVersion="5f3c")], "5f3c", "b:1"),
        # without a version: what the project names, and nothing else
        (MASTER, [build(1), build(2, sourceVersion="pr/25")], None, "b:1"),
        (MASTER, [build(1, sourceVersion="refs/heads/other")], None, None),
        (MASTER, [build(1, sourceVersion=COMMIT)], None, None),
        (MASTER, [build(1, sourceVersion="refs/heads/master")], None, "b:1"),
        (MASTER, [build(1, sourceVersion=None)], None, "b:1"),
        ({"sourceVersion": "refs/heads/master"}, [build(1)], None, "b:1"),
        ({}, [build(1, sourceVersion=None)], None, "b:1"),
        ({}, [build(1)], None, None),
        ({}, [build(1, sourceVersion=None)], "pr/25", None),
        (MASTER, [build(1, sourceVersion="pr/25")], "pr/25", "b:1"),
        (MASTER, [build(1, sourceVersion="refs/heads/master")], "master", "b:1"),
        (MASTER, [build(1, sourceVersion=None)], "master", "b:1"),
        # what the webhook started
        (MASTER, [build(1, **HOOK)], None, "b:1"),
        (MASTER, [build(1, sourceVersion="pr/25", **HOOK)], None, None),
        (MASTER, [build(1, sourceVersion=COMMIT, **HOOK)], None, None),
    ]
    + [
        ({**MASTER, "webhook": webhook}, [build(1, **{"sourceVersion": COMMIT, **HOOK, **more})], version, followed)
        for webhook, version, more, followed in (
            (pushes_to("^refs/heads/master$"), None, {}, "b:1"),
            (pushes_to("^refs/heads/master$"), "master", {}, "b:1"),
            (pushes_to("^refs/heads/master$"), "other", {}, None),
            (pushes_to("^refs/heads/master$"), COMMIT, {}, "b:1"),
            (pushes_to("^refs/heads/master$"), None, {"sourceVersion": "pr/25"}, None),
            (pushes_to("^refs/heads/master$"), None, {"initiator": "somebody"}, None),
            (pushes_to("^refs/heads/master$", "PUSH, PULL_REQUEST_CREATED"), None, {}, None),
            (pushes_to("^refs/heads/master$", exclude=True), None, {}, None),
            (pushes_to("^refs/heads/.*$"), None, {}, None),
            ({"filterGroups": [[{"type": "EVENT", "pattern": "PUSH"}]]}, None, {}, None),
        )
    ]
    + [
        (
            {"sourceVersion": "release/1.0", "webhook": pushes_to(r"^refs/heads/release/1\.0$")},
            [build(1, sourceVersion=COMMIT, **HOOK)],
            None,
            "b:1",
        )
    ],
)
def test_which_running_build_is_followed(project, builds, version, followed):
    assert (code.to_follow(builds, version, project) or {}).get("id") == followed


RUNTIME = "Unknown runtime version named '10' of nodejs. This build image has the following versions: 12, 14"
NONE_CHOSEN = "This build image requires selecting at least one runtime version."
NO_ENTRY = "org.springframework.security.access.AccessDeniedException: Access is denied"
USER = "User: arn:aws:sts::123456789012:assumed-role/r/s is not authorized to perform: s3:GetObject"
MVN = "COMMAND_EXECUTION_ERROR: Error while executing command: mvn clean package. Reason: exit status 1"
TWICE = "tag invalid: The image tag 'latest' already exists in the 'x' repository and cannot be overwritten because the repository is immutable."


@pytest.mark.parametrize(
    "phase, said, last, way_out",
    [
        ("DOWNLOAD_SOURCE", f"YAML_FILE_ERROR: {RUNTIME}", ["Phase is DOWNLOAD_SOURCE"], "build_project_runtimes"),
        ("DOWNLOAD_SOURCE", f"YAML_FILE_ERROR: {NONE_CHOSEN}", [], "build_project_image"),
        ("DOWNLOAD_SOURCE", "YAML_FILE_ERROR: YAML file does not exist", [], "buildspec cannot be read"),
        ("DOWNLOAD_SOURCE", "CLIENT_ERROR: authentication required", ["YAML location is /x/buildspec.yml"], "be fetched"),
        ("INSTALL", "COMMAND_EXECUTION_ERROR: exit status 127", ["No runtime version selected in buildspec."], "A tool cannot"),
        ("BUILD", MVN, ["YAML location is /codebuild/readonly/buildspec.yml", "[ERROR] BUILD FAILURE"], "mostly a test"),
        ("BUILD", MVN, ["expected: YAML_FILE_ERROR"], "mostly a test"),
        ("BUILD", MVN, [NO_ENTRY, "[ERROR] BUILD FAILURE"], "mostly a test"),
        ("BUILD", MVN, ["An error occurred (AccessDenied) when calling the GetObject operation: Access Denied"], "may not do that"),
        ("BUILD", MVN, [NO_ENTRY, "uses arn:aws:s3:::x"], "mostly a test"),
        ("BUILD", MVN, ["HttpClientErrorException$TooManyRequests: 429 Too Many Requests"], "mostly a test"),
        ("BUILD", MVN, [f"An error occurred (AccessDenied) when calling the GetObject operation: {USER}"], "role may not"),
        ("BUILD", MVN, [f"denied: {USER}"], "role may not"),
        ("BUILD", MVN, ["toomanyrequests: You have reached your pull rate limit."], "anonymous pulls"),
        ("BUILD", MVN, ["java.util.ImmutableCollections.uoe: immutable"], "mostly a test"),
        ("PRE_BUILD", MVN, ["An error occurred (AccessDeniedException) when calling GetAuthorizationToken"], "role may not"),
        ("POST_BUILD", MVN, [TWICE], "registry_tag_mutability"),
        ("POST_BUILD", MVN, ["ImageTagAlreadyExistsException"], "registry_tag_mutability"),
        ("POST_BUILD", MVN, ["no such image"], "could not be pushed"),
    ],
)
def test_the_way_out(phase, said, last, way_out):
    assert way_out in remedy(phase, "FAILED", said, last)


def test_a_description_has_neither_environment_nor_address():
    described = code.describe(
        build(
            3,
            environment={"environmentVariables": [variable("DB_PASSWORD", "canary-1")]},
            source={"location": "https://canary-2@github.com/x", "auth": {"resource": "canary-3"}},
            exportedEnvironmentVariables=[variable("NOTE", "uses canary-1"), variable("MY_TOKEN", "canary-4")],
            phases=[{"phaseType": "BUILD", "contexts": [{"statusCode": "X", "message": "canary-1"}]}],
        )
    )
    assert "canary" not in str(described) and described["exported"] == {"NOTE": "uses ***", "MY_TOKEN": "***"}


@pytest.mark.parametrize(
    "error, passes",
    [
        (ClientError({"Error": {"Code": "ThrottlingException"}}, "X"), True),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "X"), False),
        (EndpointConnectionError(endpoint_url="https://x"), True),
        (ReadTimeoutError(endpoint_url="https://x"), True),
        (KeyError("x"), False),
    ],
)
def test_what_passes_by_itself(error, passes):
    def fail():
        raise error

    patience = code.Patience()
    if passes:
        assert patience(fail) is None and patience.trouble == str(error)
        assert patience(lambda: 1) == 1 and patience.trouble is None
    else:
        with pytest.raises(type(error)):
            patience(fail)


@pytest.mark.parametrize(
    "answer, said",
    [
        ({"Error": {"Code": "NotImplementedException", "Message": "No builds here."}}, "No builds here."),
        ({"Error": {"Code": "Other", "Message": "m"}, "ResponseMetadata": {"HTTPStatusCode": 501}}, "m"),
        ({"Error": {"Code": "AccessDeniedException", "Message": "m"}}, None),
    ],
)
def test_a_refusal_of_an_emulator(answer, said):
    assert code.refusal(ClientError(answer, "StartBuild")) == said
    assert code.refusal(KeyError("x")) is None


@pytest.mark.parametrize(
    "region, host",
    [
        ("ap-southeast-1", "ap-southeast-1.console.aws.amazon.com"),
        ("cn-north-1", "cn-north-1.console.amazonaws.cn"),
        ("us-gov-west-1", "us-gov-west-1.console.amazonaws-us-gov.com"),
    ],
)
def test_addresses_of_the_console(region, host):
    assert code.console(region, "x") == f"https://{host}/x"
