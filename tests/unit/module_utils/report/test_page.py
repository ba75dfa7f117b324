# SPDX-License-Identifier: GPL-3.0-or-later
import re
import sys
from datetime import datetime, timedelta, timezone
from html.parser import HTMLParser

import pytest
from unit.module_utils.report.example import NOW, flat, seen, service

from ansible_collections.handson.ecs.plugins.module_utils.report import charts
from ansible_collections.handson.ecs.plugins.module_utils.report.markup import VOID
from ansible_collections.handson.ecs.plugins.module_utils.report.page import Page, digest_of

MADE = datetime.fromtimestamp(NOW, timezone(timedelta(hours=9), "KST"))
BAD = '"><script>alert(1)</script><img src=x onerror=alert(1)>'


class Tree(HTMLParser):
    """Tags that open and close as they should, ids once, and everything that could load or run something."""

    def __init__(self, text):
        super().__init__()
        self.open, self.ids, self.tags, self.attributes, self.words = [], [], set(), [], []
        self.feed(text)
        assert not self.open, self.open

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += attributes
        self.ids += [v for k, v in attributes if k == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)


def page(*every, language="en", **options):
    return Page(every or [seen()], language, MADE, **options).html()


def words(text):
    return " ".join(" ".join(Tree(text).words).split())


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_page_is_whole_and_needs_nothing_else(language):
    tree = Tree(page(language=language))
    assert len(tree.ids) == len(set(tree.ids))
    assert not tree.tags & {"script", "link", "img", "iframe", "object", "embed", "form"}
    loading = [(k, v) for k, v in tree.attributes if k in ("src", "srcset") or k.startswith("on")]
    assert not loading and "@import" not in page() and "url(http" not in page()
    assert ("lang", language) in tree.attributes


def test_what_it_tells():
    told = words(page())
    for text in (
        "petclinic-rest-service", "2 of 2 running", "2 of 2 healthy", "2 to 16, target 55 % CPU", "petclinic-rest-task:1",
        "25.0 %", "2 × 512 ÷ 4096 CPU units", "50.0 %", "25.9 %", "51.8 %", "newest 25.9 %", "exit code 137", "by itself",
        "has reached a steady state", "SUCCESSFUL", "$ 85.26", "known of 2025-03", "KST", "Threshold Crossed",
    ):  # fmt: skip
        assert text in told, text
    assert 'href="http://petclinic-rest-alb-1.elb.amazonaws.com/actuator/health"' in page()


def test_korean():
    told = words(page(language="ko"))
    for text in ("실행 현황", "안정", "2개 중 2개 실행 중", "구성도", "월 비용", "스스로 종료", "배포 중 최대(계산값)"):
        assert text in told, text
    assert "has reached a steady state" in told, "what AWS says stays as it is"


def poisoned(value, key=""):
    """A copy in which every text ends in what would run in a page that doesn't escape."""
    if isinstance(value, dict):
        return {k: poisoned(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [poisoned(v, key) for v in value]
    known = ("status", "launch_type", "state", "rollout", "scheme", "metric", "url", "region", "endpoint")
    return value + BAD if isinstance(value, str) and key not in known else value


@pytest.mark.parametrize("language", ["en", "ko"])
def test_nothing_of_the_account_gets_into_the_page_unescaped(language):
    text = page(poisoned(seen(problems=[{"action": "ecs:ListTasks", "message": "no"}])), language=language)
    assert "<script>alert" not in text and "<img" not in text
    tree = Tree(text)
    assert "script" not in tree.tags and not [k for k, _v in tree.attributes if k.startswith("on")]
    assert "script>alert(1)" in " ".join(tree.words)


def test_an_address_that_is_a_program_is_no_link():
    found = seen()
    found["clusters"][0]["services"][0]["url"] = "javascript:alert(1)//$host"
    assert "href=\"javascript" not in page(found)


def test_a_local_endpoint_without_values_says_so_and_draws_nothing():
    found = seen(endpoint="http://127.0.0.1:5001")
    found["clusters"][0]["series"] = {}
    found["clusters"][0]["services"] = [service(series={})]
    text = page(found)
    told = words(text)
    assert "No values: the local endpoint does not measure this." in told and "not AWS" in told and "Nothing is billed here" in told
    assert 'aria-hidden="true"' not in text, "an empty chart"
    assert "no values" in told  # beside the arithmetic


def test_aws_without_values():
    found = seen()
    found["clusters"][0]["services"] = [service(series={})]
    told = words(page(found))
    assert "No values in this time." in told and "switched its group metrics on" in told


def test_no_5xx_is_good_news():
    assert "None in this time (5 requests)." in words(page())
    found = seen()
    found["clusters"][0]["services"] = [service(series={"requests": [[NOW - 600, 5.0]], "errors": [[NOW - 600, 2.0]]})]
    told = words(page(found))
    assert "None in this time" not in told and "2 in all" in told


def test_without_matplotlib_the_page_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    text = page()
    told = words(text)
    assert "pip install matplotlib" in told and "CPU 25, memory 25.9" in told and 'aria-hidden="true"' not in text


def test_what_was_refused():
    told = words(page(seen(problems=[{"action": "cloudwatch:GetMetricData", "message": "not authorized"}])))
    assert "What could not be read" in told and "cloudwatch:GetMetricData was refused" in told


def test_nothing_there():
    empty = seen(clusters=[{"name": "c", "missing": True, "group": None, "load_balancer": None, "instances": [], "series": {},
                            "services": [{"name": "s", "missing": True, "series": {}}]}], load_balancers=[], alarms=[])  # fmt: skip
    told = words(page(empty))
    assert "ansible-playbook site.yml" in told and "not there s" in told


def test_a_service_that_is_missing_on_a_cluster_that_is_there():
    found = seen()
    found["clusters"][0]["services"].append({"name": "users", "missing": True, "series": {}})
    assert "users" in words(page(found))


def test_two_regions_on_one_page():
    other = seen(region="ap-northeast-2", account="210987654321")
    other["clusters"][0]["name"] = "seoul"
    told = words(page(seen(), other))
    assert "123456789012, 210987654321" in told and "ap-southeast-1, ap-northeast-2" in told
    assert "No prices of ap-northeast-2 are known here" in told
    assert "$ 36.50" in words(page(seen(), other, prices={"t2.medium": 0.025}))


def test_fargate_is_drawn_by_zone_and_reserves_nothing_of_instances():
    found = seen()
    tasks = [{"id": "t", "instance": None, "zone": "ap-southeast-1a", "status": "RUNNING", "revision": "x:1"}] * 2
    found["clusters"][0] |= {"instances": [], "series": {}, "group": None, "services": [service(launch_type="FARGATE", tasks=tasks)]}
    told = words(page(found))
    assert "Fargate" in told and "Reserved: arithmetic" not in told and "2 tasks" in told


# --- the same again --------------------------------------------------------------------------------------------------


def test_the_same_account_gives_the_same_page_but_for_the_time():
    later = Page([seen(start=NOW, end=NOW + 60)], "en", MADE + timedelta(minutes=1)).html()
    assert digest_of(page()) == digest_of(later) is not None and page() == page() and page() != later


@pytest.mark.parametrize("change", [{"alarms": []}, {"problems": [{"action": "a:B", "message": "m"}]}, {"region": "eu-west-1"}])
def test_whatever_else_differs_changes_the_digest(change):
    assert digest_of(page(seen(**change))) != digest_of(page())
    assert digest_of(page(language="ko")) != digest_of(page()) and digest_of(page(prices={"alarm": 1})) != digest_of(page())


def test_no_digest_of_anything_else():
    assert digest_of("") is None and digest_of("<html>") is None


# --- charts -----------------------------------------------------------------------------------------------------------


def test_holes_are_holes():
    points = [[0, 1.0], [60, 2.0], [300, 3.0], [600, 4.0]]
    drawn = charts.gaps(points, 60)
    assert [v for _at, v in drawn if v == v] == [1, 2, 3, 4] and sum(v != v for _at, v in drawn) == 2
    assert charts.alone(drawn) == [[300, 3.0], [600, 4.0]]
    assert charts.filled([[60, 2.0]], 0, 240, 60) == [[0, 0.0], [60, 2.0], [120, 0.0], [180, 0.0]]


def test_a_chart_is_the_same_twice_and_its_ids_are_its_own():
    def drawn(name):
        return charts.chart(name, [charts.Line("cpu", flat(3.0), charts.BLUE)], (NOW - 10800, NOW), 60)

    assert drawn("a") == drawn("a")
    ids = [set(re.findall(r' id="([^"]*)"', drawn(n))) for n in "ab"]
    assert ids[0] and not ids[0] & ids[1]
    assert "<style" not in drawn("a") and "<?xml" not in drawn("a")
