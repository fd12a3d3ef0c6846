"""How commands print."""

from __future__ import annotations

import io
import json

import pytest

from graphvae.cli.output import say, show, table


def test_say_is_on_stderr(capsys):
    say("a", "b")
    say()
    assert capsys.readouterr() == ("", "a\nb\n")


def test_show_is_on_stdout(capsys):
    show("text", {"a": 1}, as_json=False)
    assert capsys.readouterr() == ("text\n", "")
    show("text", {"a": [1, None]}, as_json=True)
    out, err = capsys.readouterr()
    assert json.loads(out) == {"a": [1, None]}
    assert err == ""


def test_letters_that_stdout_cannot_carry_are_replaced(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="cp1252", newline="\n")
    monkeypatch.setattr("sys.stdout", stream)
    show("Erdős ± 1", {}, as_json=False)
    stream.flush()
    assert stream.buffer.getvalue().decode("cp1252") == "Erd?s ± 1\n"


def test_json_has_no_nan():
    with pytest.raises(ValueError, match="not JSON compliant"):
        show("", {"a": float("nan")}, as_json=True)


def test_a_table_is_aligned_to_the_left_and_then_to_the_right():
    text = table(["name", "n"], [["a", "100"], ["longer", "5"]])
    assert text.splitlines() == ["name      n", "a       100", "longer    5"]


def test_a_table_has_no_space_at_the_end_of_a_line():
    assert table(["a", "b"], [["x", ""]]).splitlines() == ["a  b", "x"]
    assert table(["a", "b"], []) == "a  b"


def test_a_last_column_of_prose_is_left_aligned():
    assert table(["a", "what"], [["x", "long text"], ["y", "text"]], prose=True).splitlines()[1:] == [
        "x  long text",
        "y  text",
    ]
