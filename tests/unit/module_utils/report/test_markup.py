# SPDX-License-Identifier: GPL-3.0-or-later
import pytest

from ansible_collections.handson.ecs.plugins.module_utils.report.markup import Markup, escaped, join, link, tag

BAD = "<script>alert('x')</script>\"&"


def test_values_are_escaped_once():
    assert escaped(BAD) == "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt;&quot;&amp;"
    assert escaped(escaped(BAD)) == escaped(BAD)
    assert isinstance(tag("p", BAD), Markup) and "<script>" not in tag("p", BAD, title=BAD)


def test_a_tag():
    assert tag("td", "a", ["b", None, [False, 0]], data_label="x & y", class_="n", id=None) == (
        '<td data-label="x &amp; y" class="n">ab0</td>'
    )
    assert tag("br") == "<br>" and tag("meta", name="a") == '<meta name="a">'
    assert join(["<", tag("b", ">")]) == "&lt;<b>&gt;</b>"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//elsewhere", " http://x"])
def test_only_addresses_of_the_web_are_links(url):
    assert link(url, url) == url and "<a" not in link(url, url)


def test_a_link():
    assert link('http://x/"', "x").startswith('<a href="http://x/&quot;"')
