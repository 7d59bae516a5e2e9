import base64
import io
import re
from html.parser import HTMLParser

from PIL import Image

from siamese_tf.inference.image_page import SIDE, figure, image_page


class Balanced(HTMLParser):
    """Checks that every element is closed in the right order."""

    def __init__(self):
        super().__init__()
        self.open, self.text = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_a_page_is_one_file_of_balanced_elements_with_escaped_text():
    page = image_page("A <b> & c", ["one < two"], ["<p>card</p>", "<p>other</p>"])
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    assert {"A <b> & c", "one < two", "card", "other"} <= set(parser.text)
    assert not re.search(r"https?:|<script|<link|url\(", page)


def test_a_figure_contains_a_small_copy(tmp_path):
    Image.new("RGB", (900, 300), "red").save(tmp_path / "a.png")
    shown = figure(tmp_path / "a.png", '"quoted" <name>')
    assert "&quot;quoted&quot; &lt;name&gt;" in shown
    data = base64.b64decode(re.search(r"base64,([^\"]+)", shown)[1])
    assert Image.open(io.BytesIO(data)).size == (SIDE, SIDE // 3)


def test_an_unreadable_image_has_a_caption(tmp_path):
    assert figure(tmp_path / "gone.png", "gone & lost") == (
        "<figure><figcaption>gone &amp; lost (unreadable)</figcaption></figure>"
    )
