# SPDX-License-Identifier: GPL-3.0-or-later
import json

import boto3
import pytest
from botocore.exceptions import ClientError
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, contract, run

NAME = "alice-codebuild-cache-store"
OWNER = {"handson:cluster": "petclinic-rest-cluster"}
OPTIONS = {
    "name": NAME,
    "lifecycle": {"expire": [{"days": 30}], "abort_uploads_days": 1},
    "owner": OWNER,
}


def or_none(call, *codes):
    try:
        return call()
    except ClientError as e:
        assert e.response["Error"]["Code"] in codes, e
        return None


@pytest.fixture
def read(aws):
    def read():
        s3 = aws("s3")
        if NAME not in [b["Name"] for b in s3.list_buckets()["Buckets"]]:
            return None
        bucket = {"Bucket": NAME}
        tags = (or_none(lambda: s3.get_bucket_tagging(**bucket), "NoSuchTagSet") or {}).get("TagSet", [])
        block = or_none(lambda: s3.get_public_access_block(**bucket), "NoSuchPublicAccessBlockConfiguration")
        lifecycle = or_none(lambda: s3.get_bucket_lifecycle_configuration(**bucket), "NoSuchLifecycleConfiguration")
        policy = or_none(lambda: s3.get_bucket_policy(**bucket), "NoSuchBucketPolicy")
        encryption = or_none(lambda: s3.get_bucket_encryption(**bucket), "ServerSideEncryptionConfigurationNotFoundError")
        rules = (encryption or {}).get("ServerSideEncryptionConfiguration", {}).get("Rules")
        return {
            "location": s3.get_bucket_location(**bucket)["LocationConstraint"],
            "tags": {t["Key"]: t["Value"] for t in tags},
            "block": (block or {}).get("PublicAccessBlockConfiguration"),
            "ownership": or_none(
                lambda: s3.get_bucket_ownership_controls(**bucket)["OwnershipControls"]["Rules"], "OwnershipControlsNotFoundError"
            ),
            "policy": json.loads(policy["Policy"]) if policy else None,
            "encryption": rules[0]["ApplyServerSideEncryptionByDefault"] if rules else None,
            "versioning": s3.get_bucket_versioning(**bucket).get("Status"),
            "rules": sorted((r["ID"], r.get("Expiration", {}).get("Days")) for r in (lifecycle or {}).get("Rules", [])),
        }

    return read


def test_contract(read):
    prefix = {"expire": [{"prefix": "petclinic-rest/", "days": 7}, {"days": 90}], "noncurrent_days": 3}
    key = "arn:aws:kms:ap-southeast-1:123456789012:key/1234"
    contract(
        "bucket",
        OPTIONS,
        read,
        changes=[
            ({"versioning": True}, lambda b: b["versioning"], "Enabled"),
            ({"versioning": False}, lambda b: b["versioning"], "Suspended"),
            ({"lifecycle": prefix}, lambda b: b["rules"], [("expire-all", 90), ("expire-petclinic-rest/", 7), ("noncurrent", None)]),
            ({"lifecycle": {}}, lambda b: b["rules"], []),
            ({"kms_key": key}, lambda b: b["encryption"], {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}),
            ({"kms_key": ""}, lambda b: b["encryption"], {"SSEAlgorithm": "AES256"}),
            ({"tags": {"team": "vets"}}, lambda b: b["tags"], {**OWNER, "team": "vets"}),
        ],
    )


def test_it_is_private_encrypted_and_takes_tls_only(read):
    run("bucket", **OPTIONS)
    bucket = read()
    assert set(bucket["block"].values()) == {True} and len(bucket["block"]) == 4
    assert bucket["ownership"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert bucket["encryption"] == {"SSEAlgorithm": "AES256"}
    assert bucket["location"] == "ap-southeast-1"
    (statement,) = bucket["policy"]["Statement"]
    assert statement["Effect"] == "Deny" and statement["Principal"] == "*" and statement["Action"] == "s3:*"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == [f"arn:aws:s3:::{NAME}", f"arn:aws:s3:::{NAME}/*"]


@pytest.mark.parametrize(
    "weaken",
    [
        lambda s3: s3.delete_public_access_block(Bucket=NAME),
        lambda s3: s3.delete_bucket_policy(Bucket=NAME),
        lambda s3: s3.put_bucket_ownership_controls(
            Bucket=NAME, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        ),
    ],
)
def test_what_somebody_weakened_is_mended(aws, read, weaken):
    run("bucket", **OPTIONS)
    whole = read()
    weaken(aws("s3"))
    assert run("bucket", check=True, **OPTIONS)["changed"]
    assert run("bucket", **OPTIONS)["changed"]
    assert read() == whole


def test_other_statements_of_the_policy_stay(aws, read):
    run("bucket", **OPTIONS)
    other = {
        "Sid": "LetTheAuditorsLook",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::123456789012:role/auditors"},
        "Action": "s3:ListBucket",
        "Resource": f"arn:aws:s3:::{NAME}",
    }
    aws("s3").put_bucket_policy(Bucket=NAME, Policy=json.dumps({"Version": "2012-10-17", "Statement": [other]}))
    assert run("bucket", **OPTIONS)["changed"]
    assert [s["Sid"] for s in read()["policy"]["Statement"]] == ["LetTheAuditorsLook", "DenyInsecureTransport"]
    assert not run("bucket", **OPTIONS)["changed"]


def test_an_unchanged_run_reads_seven_things(aws):
    run("bucket", **OPTIONS)
    with recorded() as calls:
        assert not run("bucket", **OPTIONS)["changed"]
    assert operations(calls) == [
        "HeadBucket",
        "GetBucketTagging",
        "GetPublicAccessBlock",
        "GetBucketOwnershipControls",
        "GetBucketPolicy",
        "GetBucketEncryption",
        "GetBucketLifecycleConfiguration",
    ]


def test_absent_takes_versions_markers_and_uploads_with_it(aws, read):
    run("bucket", **OPTIONS, versioning=True)
    s3 = aws("s3")
    for text in ("one", "two"):
        s3.put_object(Bucket=NAME, Key="petclinic-rest/a", Body=text.encode())
    s3.delete_object(Bucket=NAME, Key="petclinic-rest/a")
    s3.create_multipart_upload(Bucket=NAME, Key="petclinic-rest/big")
    with recorded() as calls:
        result = run("bucket", **OPTIONS, state="absent")
    assert result["changed"] and result["deleted"] == 4
    assert operations(calls).count("DeleteObjects") == 1
    assert read() is None


def test_what_is_written_meanwhile_goes_as_well(aws, read):
    run("bucket", **OPTIONS)
    late = []

    def somebody_writes(real, parameters):
        if not late:
            late.append(aws("s3").put_object(Bucket=NAME, Key="late", Body=b"x"))
        return real()

    with recorded(DeleteBucket=somebody_writes):
        assert run("bucket", **OPTIONS, state="absent")["deleted"] == 1
    assert read() is None


def test_objects_that_can_not_be_deleted_are_told(aws, read):
    run("bucket", **OPTIONS)
    aws("s3").put_object(Bucket=NAME, Key="a", Body=b"x")
    refused = {"Errors": [{"Key": "a", "Code": "AccessDenied", "Message": "Access Denied"}]}
    with recorded(DeleteObjects=lambda real, parameters: refused):
        with pytest.raises(Failed, match="1 objects .* could not be deleted.*'a': AccessDenied"):
            run("bucket", **OPTIONS, state="absent")
    assert read() is not None


def test_empty_deletes_below_its_prefix_only(aws):
    run("bucket", **OPTIONS)
    s3 = aws("s3")
    for key in ("petclinic-rest/a", "petclinic-rest/b", "petclinic-rest-front/a"):
        s3.put_object(Bucket=NAME, Key=key, Body=b"x")
    options = {"name": NAME, "state": "empty", "prefix": "petclinic-rest/", "owner": OWNER}
    assert run("bucket", check=True, **options)["changed"]
    assert len(s3.list_objects_v2(Bucket=NAME)["Contents"]) == 3
    assert run("bucket", **options)["deleted"] == 2
    assert [o["Key"] for o in s3.list_objects_v2(Bucket=NAME)["Contents"]] == ["petclinic-rest-front/a"]
    for check in (True, False):
        assert not run("bucket", check=check, **options)["changed"]


def test_empty_needs_a_prefix_and_no_bucket(aws):
    with pytest.raises(Failed, match="prefix"):
        run("bucket", name=NAME, state="empty", owner=OWNER)
    assert not run("bucket", name=NAME, state="empty", prefix="x/", owner=OWNER)["changed"]


def test_a_foreign_bucket_is_refused_and_neither_emptied_nor_deleted(aws, read):
    s3 = aws("s3")
    s3.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    s3.put_object(Bucket=NAME, Key="a/b", Body=b"x")
    with pytest.raises(Failed, match="not ours"):
        run("bucket", **OPTIONS)
    with recorded() as calls:
        assert run("bucket", **OPTIONS, state="absent")["foreign"]
        assert run("bucket", name=NAME, state="empty", prefix="a/", owner=OWNER)["foreign"]
    assert set(operations(calls)) == {"HeadBucket", "GetBucketTagging"}
    assert s3.list_objects_v2(Bucket=NAME)["KeyCount"] == 1 and read()["policy"] is None


def test_another_cluster_may_share_the_name_and_is_no_reason_for_a_warning(aws, read, capfd):
    run("bucket", **OPTIONS)
    other = {"handson:cluster": "BreakTheMonolith-Demo"}
    with pytest.raises(Failed, match="its tag handson:cluster says 'petclinic-rest-cluster'"):
        run("bucket", **{**OPTIONS, "owner": other})
    assert run("bucket", name=NAME, state="absent", owner=other)["foreign"]
    assert run("bucket", name=NAME, state="empty", prefix="api/", owner=other)["foreign"]
    assert "left alone" not in capfd.readouterr().err
    assert read()


def forbidden(real, parameters):
    e = error("403", "Forbidden", "HeadBucket")
    e.response["ResponseMetadata"] = {"HTTPStatusCode": 403}
    raise e


def test_a_bucket_in_another_account_names_the_variable(aws):
    with recorded(HeadBucket=forbidden) as calls:
        with pytest.raises(Failed, match="somebody else's.*build_username"):
            run("bucket", **OPTIONS)
        assert run("bucket", **OPTIONS, state="absent")["foreign"]
    assert operations(calls) == ["HeadBucket", "HeadBucket"]

    def taken(real, parameters):
        raise error("BucketAlreadyExists", "The requested bucket name is not available.")

    with recorded(CreateBucket=taken):
        with pytest.raises(Failed, match="somebody else's account.*build_username"):
            run("bucket", **OPTIONS)


def test_two_hosts_may_make_it_at_once(aws, read):
    """Another host makes the bucket between our look and our call; it has its tags, and not yet the rest."""
    tags = [{"Key": k, "Value": v} for k, v in OWNER.items()]

    def first(real, parameters):
        assert parameters["CreateBucketConfiguration"]["Tags"] == tags
        real()
        return real()

    with recorded(CreateBucket=first) as calls:
        assert run("bucket", **OPTIONS)["changed"]
    assert operations(calls).count("CreateBucket") == 1
    assert read()["block"] and read()["policy"] and read()["rules"]
    assert not run("bucket", **OPTIONS)["changed"]


GOING = [
    ("GetBucketTagging", {"state": "absent"}),
    ("ListMultipartUploads", {"state": "absent"}),
    ("ListObjectVersions", {"state": "absent"}),
    ("DeleteObjects", {"state": "absent"}),
    ("DeleteBucket", {"state": "absent"}),
    ("GetBucketTagging", {"state": "empty", "prefix": "a/"}),
    ("ListMultipartUploads", {"state": "empty", "prefix": "a/"}),
    ("ListObjectVersions", {"state": "empty", "prefix": "a/"}),
    ("ListObjectVersions", {"state": "empty", "prefix": "a/", "check": True}),
]


@pytest.mark.parametrize(("operation", "options"), GOING, ids=[f"{o}-{','.join(map(str, x.values()))}" for o, x in GOING])
def test_two_hosts_may_delete_it_at_once(aws, read, operation, options):
    """Two clusters share the bucket, and a teardown goes through both at a time."""
    run("bucket", **OPTIONS)
    aws("s3").put_object(Bucket=NAME, Key="a/b", Body=b"x")
    gone = []

    def other_host_was_first(real, parameters):
        if not gone:
            gone.append(True)
            aws("s3").delete_object(Bucket=NAME, Key="a/b")
            aws("s3").delete_bucket(Bucket=NAME)
        return real()

    with recorded(**{operation: other_host_was_first}):
        run("bucket", name=NAME, owner=OWNER, **options)
    assert gone and read() is None


def test_a_call_in_the_way_is_waited_for(aws, read, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    refusals = [error("OperationAborted", "A conflicting conditional operation is currently in progress")] * 2

    def busy(real, parameters):
        if refusals:
            raise refusals.pop()
        return real()

    with recorded(CreateBucket=busy, PutPublicAccessBlock=busy):
        run("bucket", **OPTIONS)
    assert read()["block"]


def test_in_us_east_1_nobody_names_the_place(aws, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "us-east-1")
    with recorded() as calls:
        run("bucket", **OPTIONS)
        assert not run("bucket", **OPTIONS)["changed"]
    (made,) = [parameters for name, parameters in calls if name == "CreateBucket"]
    assert "LocationConstraint" not in made["CreateBucketConfiguration"]
    s3 = boto3.client("s3", region_name="us-east-1")
    assert not s3.get_bucket_location(Bucket=NAME)["LocationConstraint"]


def test_a_bucket_of_another_region_is_told(aws):
    tags = {"Tags": [{"Key": k, "Value": v} for k, v in OWNER.items()]}
    boto3.client("s3", region_name="eu-west-1").create_bucket(
        Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": "eu-west-1", **tags}
    )
    with pytest.raises(Failed, match="region is 'eu-west-1' and would become 'ap-southeast-1'"):
        run("bucket", **OPTIONS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "Alice_cache"}, "lower-case letters.*Change its name"),
        ({"name": "ab"}, "2 characters"),
        ({"lifecycle": {"expire": [{"days": 0}]}}, "0 days.*Change its lifecycle"),
    ],
)
def test_what_s3_would_refuse_fails_before_anything(aws, options, said):
    with recorded() as calls, pytest.raises(Failed, match=said):
        run("bucket", **{**OPTIONS, **options})
    assert calls == []
