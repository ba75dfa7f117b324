# SPDX-License-Identifier: GPL-3.0-or-later
import pytest
from ansible_collections.handson.ecs.plugins.module_utils import load_balancers as lb
from modules.aws_calls import error, operations, recorded
from modules.harness import Failed, contract, run

OPTIONS = {
    "name": "petclinic-rest-alb",
    "network": {"mode": "default"},
    "security_groups": ["alb-sg"],
    "owner": {"handson:cluster": "petclinic-rest-cluster"},
}


@pytest.fixture
def groups(aws, default_subnets):
    ec2 = aws("ec2")
    vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
    return {n: ec2.create_security_group(GroupName=n, Description=n, VpcId=vpc)["GroupId"] for n in ("alb-sg", "second-sg")}


@pytest.fixture
def read(aws, groups):
    def read():
        elbv2 = aws("elbv2")
        found = elbv2.describe_load_balancers()["LoadBalancers"]
        if not found:
            return None
        arn = found[0]["LoadBalancerArn"]
        listeners = elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
        attributes = elbv2.describe_load_balancer_attributes(LoadBalancerArn=arn)["Attributes"]
        return found[0] | {a["Key"]: a["Value"] for a in attributes} | {"listeners": {x["Port"]: x for x in listeners}}

    return read


def certificate(aws):
    return aws("acm").request_certificate(DomainName="petclinic.example.org")["CertificateArn"]


def test_contract(aws, read, groups, default_subnets):
    contract(
        "load_balancer",
        OPTIONS,
        read,
        changes=[
            ({"idle_timeout": 120}, lambda b: b["idle_timeout.timeout_seconds"], "120"),
            ({"security_groups": ["second-sg"]}, lambda b: b["SecurityGroups"], [groups["second-sg"]]),
            (
                {"network": {"mode": "existing", "vpc_id": "v", "subnet_ids": default_subnets[:2]}},
                lambda b: sorted(z["SubnetId"] for z in b["AvailabilityZones"]),
                sorted(default_subnets[:2]),
            ),
            ({"drop_invalid_header_fields": False}, lambda b: b["routing.http.drop_invalid_header_fields.enabled"], "false"),
            ({"listener_port": 8080}, lambda b: sorted(b["listeners"]), [8080]),
            ({"deletion_protection": True}, lambda b: b["deletion_protection.enabled"], "true"),
        ],
    )


def test_a_certificate_makes_https_and_a_redirect_and_its_removal_undoes_both(aws, read):
    run("load_balancer", **OPTIONS)
    assert read()["listeners"][80]["DefaultActions"][0]["Type"] == "fixed-response"
    secure = {**OPTIONS, "certificate_arn": certificate(aws)}
    assert run("load_balancer", **secure)["changed"]
    assert read()["listeners"][80]["DefaultActions"][0]["Type"] == "redirect"
    assert read()["listeners"][443]["Certificates"][0]["CertificateArn"] == secure["certificate_arn"]
    assert not run("load_balancer", **secure)["changed"]
    run("load_balancer", **OPTIONS)
    assert list(read()["listeners"]) == [80]
    assert read()["listeners"][80]["DefaultActions"][0]["Type"] == "fixed-response"


def test_a_service_on_the_listener_is_left_alone(aws, read):
    run("load_balancer", **OPTIONS)
    elbv2 = aws("elbv2")
    group = elbv2.create_target_group(Name="t", Protocol="HTTP", Port=80, VpcId=read()["VpcId"])["TargetGroups"][0]
    forward = [{"Type": "forward", "TargetGroupArn": group["TargetGroupArn"]}]
    elbv2.modify_listener(ListenerArn=read()["listeners"][80]["ListenerArn"], DefaultActions=forward)
    assert not run("load_balancer", **OPTIONS)["changed"]
    run("load_balancer", **{**OPTIONS, "idle_timeout": 30})
    assert read()["listeners"][80]["DefaultActions"][0]["Type"] == "forward"


def test_a_listener_deleted_by_hand_comes_back(aws, read):
    run("load_balancer", **OPTIONS)
    aws("elbv2").delete_listener(ListenerArn=read()["listeners"][80]["ListenerArn"])
    again = run("load_balancer", **OPTIONS)
    assert again["diff"]["before"]["listeners"] == {} and list(read()["listeners"]) == [80]


def test_a_foreign_load_balancer_is_refused(aws, groups, default_subnets):
    aws("elbv2").create_load_balancer(Name=OPTIONS["name"], Subnets=default_subnets[:2])
    with pytest.raises(Failed, match="not ours"):
        run("load_balancer", **OPTIONS)


def test_a_network_to_be_made_is_known_after_apply(aws, groups):
    options = {**OPTIONS, "network": {"mode": "create", "name": "petclinic-rest-vpc"}}
    checked = run("load_balancer", check=True, **options)
    assert checked["diff"]["after"]["subnets"] == "(known after apply)"
    with pytest.raises(Failed, match="playbooks/network.yml"):
        run("load_balancer", **options)


# --- what services hang on stays, whatever becomes of the listeners

SERVICE = {**OPTIONS["owner"], "handson:service": "petclinic-rest-service"}
RULE_SERVICE = {**OPTIONS["owner"], "handson:service": "vets-service"}


@pytest.fixture
def place(aws, read):
    """Make a load balancer with a service on its default action and one on a rule; return how to look at either."""
    run("load_balancer", **OPTIONS)
    arns = {}
    for name, owner in (("front", SERVICE), ("vets", RULE_SERVICE)):
        tags = [{"Key": k, "Value": v} for k, v in owner.items()]
        made = aws("elbv2").create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=read()["VpcId"], Tags=tags)
        arns[name] = made["TargetGroups"][0]["TargetGroupArn"]

    def place(name, port, **options):
        common = {"load_balancer": OPTIONS["name"], "load_balancer_owner": OPTIONS["owner"], "port": port}
        own = {"front": {"owner": SERVICE}, "vets": {"owner": RULE_SERVICE, "priority": "7", "paths": ["/api/vets*"]}}[name]
        return run("listener_rule", target_group=name, **common, **own, **options)

    place("front", 80), place("vets", 80)
    place.arns = arns
    return place


def answers(aws, read):
    """Return {port: (what the default action leads to, {priority: what the rule leads to})} of all listeners."""
    found = {}
    for port, listener in read()["listeners"].items():
        rules = aws("elbv2").describe_rules(ListenerArn=listener["ListenerArn"])["Rules"]
        to = {r["Priority"]: r["Actions"][0].get("TargetGroupArn") or r["Actions"][0]["Type"] for r in rules}
        found[port] = (to.pop("default"), to)
    return found


WRITES = ("Create", "Modify", "Delete", "Set", "Add")


def written(calls):
    return [name for name in operations(calls) if name.startswith(WRITES)]


def settles(place, port):
    """Both services: check mode in both steps says what then happens, and it is nothing the second time."""
    for name in ("front", "vets"):
        for phase in ("hold", "open"):
            place(name, port, phase=phase)
        again = [place(name, port, phase=phase, check=check) for phase in ("hold", "open") for check in (True, False)]
        assert not any(x["changed"] for x in again) and again[0]["settled"]


def test_https_comes_without_a_gap_and_goes_without_one(aws, read, place):
    front, vets = place.arns["front"], place.arns["vets"]
    secure = {**OPTIONS, "certificate_arn": certificate(aws)}
    steps = [("front", "hold"), ("front", "open"), ("vets", "hold"), ("vets", "open")]

    foreseen = [place(name, 443, phase=phase, check=True) for name, phase in steps]
    with recorded() as calls:
        assert run("load_balancer", **secure)["changed"]
    assert written(calls) == ["CreateListener", "CreateRule", "ModifyListener"], "443 answers before 80 leads there"
    # The rule stays on 80 too: it answers there until its service has moved, and then 80 redirects all.
    assert answers(aws, read) == {80: ("redirect", {"7": vets}), 443: (front, {"7": vets})}
    assert not run("load_balancer", **secure)["changed"]
    done = [place(name, 443, phase=phase) for name, phase in steps]
    assert [x["changed"] for x in done] == [False, False, False, True]
    assert [(x["changed"], x["diff"], x["settled"]) for x in foreseen] == [(x["changed"], x["diff"], x["settled"]) for x in done]
    assert answers(aws, read) == {80: ("redirect", {}), 443: (front, {"7": vets})}
    settles(place, 443)

    foreseen = [place(name, 80, phase=phase, check=True) for name, phase in steps]
    with recorded() as calls:
        assert run("load_balancer", **OPTIONS)["changed"]
    assert written(calls) == ["CreateRule", "ModifyListener", "DeleteListener"], "443 goes last"
    assert answers(aws, read) == {80: (front, {"7": vets})}
    done = [place(name, 80, phase=phase) for name, phase in steps]
    assert not any(x["changed"] for x in [*foreseen, *done])
    assert [(x["diff"], x["settled"]) for x in foreseen] == [(x["diff"], x["settled"]) for x in done]
    settles(place, 80)


def test_a_certificate_that_is_refused_leaves_port_80_as_it_was(aws, read, place):
    before, secure = answers(aws, read), {**OPTIONS, "certificate_arn": certificate(aws)}

    def refused(real, parameters):
        raise error("UnsupportedCertificate", "The certificate must have a fully-qualified domain name", "CreateListener")

    with recorded(CreateListener=refused) as calls:
        with pytest.raises(Failed, match="UnsupportedCertificate"):
            run("load_balancer", **secure)
    assert written(calls) == ["CreateListener"] and answers(aws, read) == before


@pytest.mark.parametrize(
    ("on", "operation"),
    [
        (True, "CreateRule"),
        (True, "ModifyListener"),
        (False, "CreateRule"),
        (False, "ModifyListener"),
        (False, "DeleteListener"),
    ],
)
def test_a_run_that_is_cut_short_leaves_all_answered_and_a_second_one_ends_it(aws, read, place, on, operation):
    secure, plain = {**OPTIONS, "certificate_arn": certificate(aws)}, OPTIONS
    vets, front = place.arns["vets"], place.arns["front"]
    if not on:
        run("load_balancer", **secure), place("front", 443), place("vets", 443)
    wanted, port = (secure, 443) if on else (plain, 80)

    def cut(real, parameters):
        raise error("InternalFailure", "cut", operation)

    with recorded(**{operation: cut}), pytest.raises(Failed, match="cut"):
        run("load_balancer", **wanted)
    now = answers(aws, read)
    # Whoever asks 80, following its redirect, comes to both services. (The rule on 443 stood there alone before.)
    at = now[80] if now[80][0] != "redirect" else now[443]
    assert at[0] == front and {**now.get(443, ("", {}))[1], **at[1]} == {"7": vets}
    run("load_balancer", **wanted)
    assert answers(aws, read)[port] == (front, {"7": vets})
    assert not run("load_balancer", **wanted)["changed"]
    settles(place, port)


def test_another_port_takes_all_along(aws, read, place):
    front, vets = place.arns["front"], place.arns["vets"]
    moved = {**OPTIONS, "listener_port": 8080}
    foreseen = [place(name, 8080, check=True) for name in ("front", "vets")]
    run("load_balancer", **moved)
    assert answers(aws, read) == {8080: (front, {"7": vets})}
    assert not any(x["changed"] for x in foreseen)
    settles(place, 8080)


def test_a_held_rule_stays_held_and_its_tags_are_kept(aws, read, place):
    place("vets", 80, state="absent"), place("vets", 80, phase="hold")
    run("load_balancer", **{**OPTIONS, "certificate_arn": certificate(aws)})
    again = place("vets", 443, phase="hold")
    assert not again["changed"] and again["listener_rule"]["held"] and RULE_SERVICE.items() <= again["listener_rule"]["tags"].items()


def test_what_would_lead_back_to_itself_is_not_copied(aws, read, place):
    """A rule that redirects from 80 to 443 would do so on 443 for ever."""
    redirect = {"Type": "redirect", "RedirectConfig": {"Protocol": "HTTPS", "Port": "443", "StatusCode": "HTTP_301"}}
    aws("elbv2").create_rule(
        ListenerArn=read()["listeners"][80]["ListenerArn"],
        Priority=3,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/login"]}}],
        Actions=[redirect],
    )
    run("load_balancer", **{**OPTIONS, "certificate_arn": certificate(aws)})
    seen = answers(aws, read)
    assert sorted(seen[80][1]) == ["3", "7"] and sorted(seen[443][1]) == ["7"]


def test_the_first_listeners_are_made_with_the_one_that_answers_before_the_one_that_leads_there(aws, read):
    with recorded() as calls:
        run("load_balancer", **{**OPTIONS, "certificate_arn": certificate(aws)})
    assert [parameters["Port"] for name, parameters in calls if name == "CreateListener"] == [443, 80]


def test_a_lost_reply_of_a_deleted_listener_is_no_failure(aws, read):
    def lost(real, parameters):
        real()
        return real()

    run("load_balancer", **{**OPTIONS, "certificate_arn": certificate(aws)})
    with recorded(DeleteListener=lost):
        assert run("load_balancer", **OPTIONS)["changed"]
    assert list(read()["listeners"]) == [80]


# --- beside listeners and rules of somebody else's, and in the middle of things


def listen(aws, read, port, *actions, tags=()):
    there = {"LoadBalancerArn": read()["LoadBalancerArn"], "Protocol": "HTTP", "Port": port}
    more = {"Tags": [{"Key": k, "Value": v} for k, v in tags]} if tags else {}
    return aws("elbv2").create_listener(**there, DefaultActions=list(actions), **more)["Listeners"][0]["ListenerArn"]


def hang(aws, read, port, priority, path, to, owner=None):
    aws("elbv2").create_rule(
        ListenerArn=read()["listeners"][port]["ListenerArn"],
        Priority=priority,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": [path]}}],
        Actions=[{"Type": "forward", "TargetGroupArn": to}],
        **({"Tags": [{"Key": k, "Value": v} for k, v in owner.items()]} if owner else {}),
    )


def test_a_rule_that_has_no_room_on_the_new_listener_is_told_before_anything_is_changed(aws, read, place):
    secure = {**OPTIONS, "certificate_arn": certificate(aws)}
    run("load_balancer", **secure), place("front", 443), place("vets", 443)
    hang(aws, read, 80, 7, "/old", place.arns["front"])
    before = answers(aws, read)
    said = "priority 7: on port 443 that of the service 'vets-service' .*, and on port 80 one of somebody else's .*target_group_rule_p"
    for check in (True, False):
        with recorded() as calls, pytest.raises(Failed, match=said):
            run("load_balancer", check=check, **OPTIONS)
        assert written(calls) == [] and answers(aws, read) == before
    # What it names helps: the service moves first, to a free number.
    owned = {"load_balancer": OPTIONS["name"], "load_balancer_owner": OPTIONS["owner"], "owner": RULE_SERVICE}
    run("listener_rule", **owned, target_group="vets", port=80, priority="8", paths=["/api/vets*"])
    run("load_balancer", **OPTIONS)
    assert answers(aws, read) == {80: (place.arns["front"], {"7": place.arns["front"], "8": place.arns["vets"]})}


def test_a_priority_that_somebody_takes_meanwhile_is_told_and_the_listener_of_before_stays(aws, read, place):
    secure = {**OPTIONS, "certificate_arn": certificate(aws)}
    run("load_balancer", **secure), place("front", 443), place("vets", 443)

    def taken(real, parameters):
        if parameters["Priority"] == 7 and parameters.get("Tags"):
            hang(aws, read, 80, 7, "/theirs", place.arns["front"])
        return real()

    with recorded(CreateRule=taken) as calls, pytest.raises(Failed, match="two have the priority 7"):
        run("load_balancer", **OPTIONS)
    assert "DeleteListener" not in operations(calls) and 443 in read()["listeners"]


def test_somebody_elses_rules_stay_where_they_are_unless_their_listener_goes(aws, read, place):
    front, vets = place.arns["front"], place.arns["vets"]
    made = aws("elbv2").create_target_group(Name="theirs", Protocol="HTTP", Port=80, VpcId=read()["VpcId"])
    theirs = made["TargetGroups"][0]["TargetGroupArn"]
    hang(aws, read, 80, 3, "/theirs", theirs)
    secure = {**OPTIONS, "certificate_arn": certificate(aws)}
    run("load_balancer", **secure)
    assert answers(aws, read) == {80: ("redirect", {"3": theirs, "7": vets}), 443: (front, {"7": vets})}
    place("front", 443), place("vets", 443)
    hang(aws, read, 443, 4, "/theirs-too", theirs)
    run("load_balancer", **OPTIONS)
    assert answers(aws, read)[80] == (front, {"3": theirs, "4": theirs, "7": vets})


def test_too_many_rules_for_both_listeners_names_the_ways_out_and_one_of_them_helps(aws, read, place):
    front, vets = place.arns["front"], place.arns["vets"]
    hang(aws, read, 80, 9, "/others", front, SERVICE)
    before, secure = answers(aws, read), {**OPTIONS, "certificate_arn": certificate(aws)}

    def full(real, parameters):
        if sum(len(rules) for _default, rules in answers(aws, read).values()) >= 3:
            raise error("TooManyRules", "The maximum number of rules has been reached", "CreateRule")
        return real()

    with recorded(CreateRule=full), pytest.raises(Failed, match="TooManyRules.*Service Quotas.*playbooks/service.yml"):
        run("load_balancer", **secure)
    assert answers(aws, read)[80] == before[80] and answers(aws, read)[443] == (front, {"7": vets})
    run("load_balancer", **secure)  # the quota was raised
    assert answers(aws, read)[443] == (front, {"7": vets, "9": front})


def test_a_run_that_was_cut_between_two_rules_copies_the_other(aws, read, place):
    vets = place.arns["vets"]
    hang(aws, read, 80, 9, "/others", vets, {**OPTIONS["owner"], "handson:service": "third"})
    secure, made = {**OPTIONS, "certificate_arn": certificate(aws)}, []

    def cut(real, parameters):
        if made:
            raise error("InternalFailure", "cut", "CreateRule")
        made.append(True)
        return real()

    with recorded(CreateRule=cut), pytest.raises(Failed, match="cut"):
        run("load_balancer", **secure)
    with recorded() as calls:
        run("load_balancer", **secure)
    assert written(calls) == ["CreateRule", "ModifyListener"]
    assert answers(aws, read)[443][1] == {"7": vets, "9": vets}


def test_a_new_listener_that_stands_free_takes_over_what_the_one_of_before_answers(aws, read, place):
    listen(aws, read, 8080, lb.NO_SERVICE, tags=OPTIONS["owner"].items())
    foreseen = place("front", 8080, check=True)
    run("load_balancer", **{**OPTIONS, "listener_port": 8080})
    assert answers(aws, read) == {8080: (place.arns["front"], {"7": place.arns["vets"]})}
    assert not foreseen["changed"]
    settles(place, 8080)


STEPS = [(name, phase) for name in ("front", "vets") for phase in ("hold", "open")]


def check_says_what_happens(place, port, options, **more):
    """Hold check mode of both services and the load balancer against what then is."""
    foreseen = [place(name, port, phase=phase, check=True, **more) for name, phase in STEPS]
    run("load_balancer", **options)
    done = [place(name, port, phase=phase, **more) for name, phase in STEPS]
    assert [(x["changed"], x["diff"]) for x in foreseen] == [(x["changed"], x["diff"]) for x in done]
    settles(place, port)


def test_check_leaves_somebody_elses_listener_alone(aws, read, place):
    theirs = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "503", "MessageBody": "Back at noon."}}
    listen(aws, read, 443, theirs)
    hang(aws, read, 443, 7, "/theirs", place.arns["front"])
    foreseen = place("vets", 8080, check=True)
    assert not foreseen["changed"]
    check_says = place("front", 8080, phase="hold", check=True)
    run("load_balancer", **{**OPTIONS, "listener_port": 8080})
    assert answers(aws, read)[443][0] == "fixed-response"
    done = place("front", 8080, phase="hold")
    assert (check_says["changed"], check_says["diff"]) == (done["changed"], done["diff"])


@pytest.mark.parametrize(
    ("on", "operation"),
    [(True, "CreateRule"), (True, "ModifyListener"), (False, "CreateRule"), (False, "ModifyListener"), (False, "DeleteListener")],
)
def test_check_after_a_run_that_was_cut_short_says_what_happens(aws, read, place, on, operation):
    secure = {**OPTIONS, "certificate_arn": certificate(aws)}
    if not on:
        run("load_balancer", **secure), place("front", 443), place("vets", 443)
    hang(aws, read, 80 if on else 443, 3, "/theirs", place.arns["front"])
    wanted, port = (secure, 443) if on else (OPTIONS, 80)

    def cut(real, parameters):
        raise error("InternalFailure", "cut", operation)

    with recorded(**{operation: cut}), pytest.raises(Failed, match="cut"):
        run("load_balancer", **wanted)
    foreseen = [place("vets", port, phase=phase, check=True) for phase in ("hold", "open")]
    run("load_balancer", **wanted)
    done = [place("vets", port, phase=phase) for phase in ("hold", "open")]
    assert [(x["changed"], x["diff"]) for x in foreseen] == [(x["changed"], x["diff"]) for x in done]


@pytest.mark.parametrize("told", [True, False])
def test_check_while_the_certificate_comes_together_with_another_port(aws, read, place, told):
    both = {**OPTIONS, "certificate_arn": certificate(aws), "listener_port": 8080}
    if told:
        check_says_what_happens(place, 443, both, http_port=8080)
        assert sorted(read()["listeners"]) == [443, 8080]
    else:  # then it says that the services leave port 80, which is deleted before they can
        assert place("vets", 443, phase="open", check=True)["changed"]


def test_check_makes_no_further_call_where_nothing_moves(read, place):
    with recorded() as check:
        place("vets", 80, phase="hold", check=True)
    with recorded() as apply:
        place("vets", 80, phase="hold")
    assert operations(check) == operations(apply)
