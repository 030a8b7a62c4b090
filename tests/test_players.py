"""Players: frames, labels and words that a page needs nothing else for."""

import io
import json
from html.parser import HTMLParser

import pytest
import torch
from PIL import Image

from companion.pages.player import player_html


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found[tag] = dict(attrs)


def test_a_player_holds_its_frames_and_says_what_they_are(images):
    frames = torch.stack([images[:3], images[3:6], images[6:9], images[9:12]])
    labels = ["start", 'a "quoted" <b>', "more", "end"]
    png, page = player_html(frames, 3, labels, "Caption & more", "What <is> seen")
    sprite = Image.open(io.BytesIO(png))
    assert sprite.size == (4 * (3 * 34 - 2), 32)
    tags = Tags(page).found
    assert json.loads(tags["figure"]["data-labels"]) == labels
    assert tags["div"]["aria-label"] == "What <is> seen"
    assert (tags["input"]["min"], tags["input"]["max"]) == ("0", "3")
    assert tags["input"]["aria-valuetext"] == "start"
    assert "http" not in page
    assert "b" not in tags  # the label is text
    assert "Caption &amp; more" in page


def test_every_frame_needs_a_label(images):
    with pytest.raises(ValueError, match="2 labels for 3 frames"):
        player_html(images[:9].unflatten(0, (3, 3)), 3, ["a", "b"], "", "")
