# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from ansible_collections.handson.ecs.plugins.module_utils import build_runs as code


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


@pytest.mark.parametrize(
    "builds, version, followed",
    [
        ([], None, None),
        ([build(1), build(2)], None, "b:2"),
        ([build(1), build(2, buildStatus="SUCCEEDED")], None, "b:1"),
        ([build(1, buildComplete=True)], None, None),
        ([build(1, initiator="codepipeline/x")], None, None),
        ([build(1, initiator="GitHub-Hookshot/1")], None, "b:1"),
        ([build(1)], "other", None),
        ([build(1, resolvedSourceVersion="5f3c")], "5f3c", "b:1"),
    ],
)
def test_which_running_build_is_followed(builds, version, followed):
    assert (code.to_follow(builds, version) or {}).get("id") == followed


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
