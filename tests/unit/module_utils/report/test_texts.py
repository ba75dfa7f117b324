# SPDX-License-Identifier: GPL-3.0-or-later
import re
import string

import pytest

from ansible_collections.handson.ecs.plugins.module_utils.report.texts import LANGUAGES, TEXTS, Texts


def placeholders(text):
    return sorted(name for _before, name, _form, _kind in string.Formatter().parse(text) if name)


@pytest.mark.parametrize("key", TEXTS)
def test_every_text_is_there_in_each_language(key):
    assert len(TEXTS[key]) == len(LANGUAGES) and all(TEXTS[key])
    assert len({tuple(placeholders(t)) for t in TEXTS[key]}) == 1, "placeholders differ"


def test_korean_is_korean():
    """Names and units may be the same; sentences are not."""
    for key, (english, korean) in TEXTS.items():
        if len(english.split()) > 3 and not english.startswith("Application"):
            assert re.search("[가-힣]", korean), key


def test_a_language_that_is_not_there():
    with pytest.raises(ValueError, match="report_language is 'fr'; it is one of en, ko"):
        Texts("fr")


def test_texts():
    assert Texts("en")("of", some=1, all=2) == "1 of 2" and Texts("ko")("of", some=1, all=2) == "2개 중 1개"
