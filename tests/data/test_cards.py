"""Cards are read whole, from the checkout or from an installed package, and never by halves."""

from __future__ import annotations

import hashlib
from dataclasses import FrozenInstanceError

import pytest

from graphvae.data import cards


def test_a_card_says_where_each_file_comes_from_and_what_pins_it():
    card = cards.read_card("cora")
    assert (card.name, card.embedded) == ("cora", False)
    for file in card.files:
        assert file.url.endswith(file.path.split("/")[1])
        assert file.sha256 or file.git_blob
        assert len(file.sha256 or "0" * 64) == hashlib.sha256().digest_size * 2


def test_an_embedded_dataset_has_no_files():
    assert cards.read_card("karate").embedded
    assert cards.read_card("karate").files == ()


def test_a_card_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        cards.read_card("karate").name = "other"


def test_running_text_is_one_line():
    assert "\n" not in cards.read_card("pubmed").citation


def test_an_unknown_card_is_no_card():
    with pytest.raises(FileNotFoundError):
        cards.read_card("nothing")


def test_an_installed_package_carries_its_cards(monkeypatch):
    monkeypatch.setattr(cards, "checkout", lambda: None)
    assert cards.card_folder().parts[-3:] == ("graphvae", "data", "cards")
