# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: the handson.ecs contributors
"""A web page in a browser on this machine can't use the endpoint, and AWS clients can."""

import http.client
import json
import socket

import pytest

TARGET = "AmazonEC2ContainerServiceV20141113.CreateCluster"


@pytest.fixture
def ask(shared, aws):
    """Send a request as it is given: (status, headers, text)."""

    def request(method, path="/", body=None, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", shared.port, timeout=30)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    return request


@pytest.mark.parametrize("origin", ["https://evil.example", "http://localhost:8080", "null"])
@pytest.mark.parametrize(("method", "path"), [("OPTIONS", "/"), ("POST", "/moto-api/reset"), ("POST", "/")])
def test_a_page_is_refused_and_may_read_nothing(ask, aws, origin, method, path):
    aws.ecs.create_cluster(clusterName="mine")
    body = json.dumps({"clusterName": "theirs"})
    status, headers, text = ask(method, path, body, Origin=origin, X_Amz_Target=TARGET, Content_Type="text/plain")
    assert status == 403 and "it answers no web page" in json.loads(text)["message"]
    assert not any(name.lower().startswith("access-control-") for name in headers)
    (cluster,) = aws.ecs.list_clusters()["clusterArns"]
    assert cluster.endswith("/mine")


def test_no_answer_tells_a_browser_that_any_page_may_read_it(ask):
    for path in ("/handson/status", "/moto-api/data.json", "/"):
        status, headers, _ = ask("GET", path)
        assert status == 200 and not any(name.lower().startswith("access-control-") for name in headers)


@pytest.mark.parametrize(
    ("site", "status"), [("cross-site", 403), ("same-site", 403), ("none", 200), ("same-origin", 200)]
)
def test_what_a_page_only_fetches(ask, site, status):
    """A picture's address, for one: no Origin header is sent with it."""
    assert ask("GET", "/moto-api/data.json", Sec_Fetch_Site=site)[0] == status


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 200),
        ("127.0.0.1:5863", 200),
        ("localhost", 200),
        ("LOCALHOST:1", 200),
        ("localhost.", 200),
        ("localhost.:5863", 200),
        ("localhost..", 403),
        ("[::1]", 200),
        ("[::1]:5863", 200),
        ("some-bucket.localhost:5863", 200),
        ("evil.example", 403),
        ("evil.example:5863", 403),
        ("127.0.0.1.evil.example", 403),
        ("127.0.0.1:evil.example", 403),
        ("localhost.evil.example:80", 403),
        ("evillocalhost", 403),
        ("192.0.2.1", 403),
        ("[2001:db8::1]:80", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
@pytest.mark.parametrize("path", ["/handson/status", "/moto-api/data.json"])
def test_a_name_that_was_made_to_lead_here(ask, path, host, status):
    answered, _, text = ask("GET", path, Host=host)
    assert answered == status
    if status == 403:
        why = "header has another name" if host else "header is missing"
        assert f"take http://127.0.0.1 with its port (the request's Host {why}" in text


def test_a_presigned_address_still_answers(aws, ask):
    aws.s3.create_bucket(Bucket="some-bucket", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    aws.s3.put_object(Bucket="some-bucket", Key="page", Body=b"text")
    address = aws.s3.generate_presigned_url("get_object", {"Bucket": "some-bucket", "Key": "page"})
    assert ask("GET", address.partition(f":{aws.port}")[2])[::2] == (200, "text")


def test_a_client_that_says_no_host_is_told_so(shared):
    with socket.create_connection(("127.0.0.1", shared.port), timeout=30) as connection:
        connection.sendall(b"GET /handson/status HTTP/1.0\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert b" 403 " in answer.partition(b"\r\n")[0] and b"Host header is missing" in answer


def test_a_refusal_is_logged_once_for_each_reason(shared, ask):
    for host in ("127.0.0.1", "evil.example", "evil.example", "other.example"):
        ask("GET", "/handson/status", Host=host)
        ask("GET", "/handson/status", Origin=f"https://{host}")
    lines = (shared.state_dir / "endpoint.log").read_text().splitlines()
    for why in ("Origin header", "has another name"):
        assert len([line for line in lines if why in line]) == 1
    assert not any("example" in line for line in lines if "HTTP 403" in line), "nothing of what a page says is told"
