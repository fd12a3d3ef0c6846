"""Embeddings as a folder for the TensorBoard projector, read by its own plugin."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphvae._check import InputError
from graphvae.export.embeddings import Embeddings

AWKWARD = ["zoë", "人", "a,b", 'say "hi"', "007", "1000000000000000000", "=1+1", " blank ", "  ", "None", "#x", "\\n"]


def make(ids, scale: bool = True) -> Embeddings:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(len(ids), 3)).astype(np.float32)
    return Embeddings(ids, vectors, np.exp(vectors) if scale else None)


@pytest.mark.parametrize("scale", [True, False])
def test_a_folder_and_back_bit_by_bit(tmp_path, scale):
    table = make(AWKWARD, scale)
    read = Embeddings.load(table.save(tmp_path / "new" / "x.projector"))
    assert read.ids.tolist() == AWKWARD
    assert np.array_equal(read.vectors, table.vectors)
    assert (read.scale is not None) == scale
    assert not scale or np.array_equal(read.scale, table.scale)
    numbered = make([10**18, -3])
    path = numbered.save(tmp_path / "n.projector")
    assert Embeddings.load(path, id_dtype=int).ids.tolist() == [10**18, -3]


@pytest.mark.filterwarnings("ignore")  # of other people's packages
def test_tensorboards_own_reader(tmp_path):
    pytest.importorskip("tensorboard")
    from google.protobuf import text_format
    from tensorboard.plugins.projector import projector_plugin
    from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig

    table = make(AWKWARD)
    folder = table.save(tmp_path / "x.projector")
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    assert [each.tensor_name for each in config.embeddings] == ["vectors", "scale"]
    for entry, expected in zip(config.embeddings, (table.vectors, table.scale), strict=True):
        assert np.array_equal(projector_plugin._read_tensor_tsv_file(str(folder / entry.tensor_path)), expected)
        lines = (folder / entry.metadata_path).read_text(encoding="utf-8").split("\n")
        assert "\t" not in lines[0]  # which would make it a header
        assert lines[:-1] == AWKWARD


@pytest.mark.parametrize("node", ["", "tab\there", "line\nbreak", "carriage\rreturn", "\x85", "\u2028"])
def test_ids_that_a_line_cannot_carry(tmp_path, node):
    with pytest.raises(InputError, match=r"ids contains .*projector folder") as refusal:
        make(["plain", node]).save(tmp_path / "x.projector")
    assert repr(node) in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_an_earlier_folder_is_replaced_and_nothing_else(tmp_path):
    make(["a"]).save(tmp_path / "x.projector")
    make(["b"], scale=False).save(tmp_path / "x.projector")
    assert Embeddings.load(tmp_path / "x.projector").scale is None
    assert [path.name for path in tmp_path.iterdir()] == ["x.projector"]
    (tmp_path / "x.projector" / "notes.txt").write_text("mine")
    (tmp_path / "y.projector").write_text("a file")
    for name in ("x.projector", "y.projector"):
        with pytest.raises(InputError, match="will not be overwritten"):
            make(["c"]).save(tmp_path / name)
    assert (tmp_path / "x.projector" / "notes.txt").read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 2


def test_surrogates_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(InputError, match="UTF-8"):
        make(["\ud800"]).save(tmp_path / "x.projector")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "content", "hint"),
    [
        ("projector_config.pbtxt", None, "has no projector_config.pbtxt"),
        ("vectors.tsv", None, "has no vectors.tsv"),
        ("vectors.tsv", "1\t2\t3\n1\t2\n", "vectors.tsv has lines of different lengths"),
        ("vectors.tsv", "1\tx\t3\n1\t2\t3\n", "line 1: could not convert"),
        ("metadata.tsv", "only one\n", "vectors has shape"),
        ("metadata.tsv", "same\nsame\n", "more than once"),
    ],
)
def test_folders_that_are_none(tmp_path, file, content, hint):
    folder = make(["a", "b"]).save(tmp_path / "x.projector")
    if content is None:
        (folder / file).unlink()
    else:
        (folder / file).write_text(content)
    with pytest.raises(InputError, match=hint) as refusal:
        Embeddings.load(folder)
    assert str(folder) in str(refusal.value)
    with pytest.raises(InputError, match="no such folder"):
        Embeddings.load(Path("nowhere.projector"))
