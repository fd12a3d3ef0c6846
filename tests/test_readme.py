"""The README is true: its example runs, its commands exist, its figures are those of the committed results."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

from graphvae.cli import main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "benchmarks" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("page", "name", "result"),
    [
        ("README.md", "links_table", "links.json"),
        ("README.md", "likelihood_table", "likelihood.json"),
        ("README.md", "accuracy_table", "accuracy.json"),
        ("README.md", "real_networks_sentence", "real_networks.json"),
        ("docs/images.md", "digits_table", "digits.json"),
        ("docs/images.md", "generation_table", "digits.json"),
        ("docs/images.md", "burda_table", "mnist_burda.json"),
        ("docs/images.md", "few_labels_table", "few_labels.json"),
        ("docs/images.md", "pythae_table", "pythae.json"),
        ("docs/accuracy.md", "accuracy_table", "accuracy.json"),
        ("docs/accuracy.md", "featureless_table", "featureless.json"),
        ("docs/accuracy.md", "accuracy_ahead", "accuracy.json"),
        ("docs/accuracy.md", "featureless_ahead", "featureless.json"),
        ("docs/accuracy.md", "inner_product_table", "inner_product.json"),
        ("docs/accuracy.md", "family_table", "family.json"),
        ("docs/accuracy.md", "calibration_table", "calibration.json"),
        ("docs/accuracy.md", "featureless_likelihood_table", "likelihood_featureless.json"),
        ("docs/accuracy.md", "slow_family_table", "family_slow.json"),
        ("docs/accuracy.md", "slow_family_table", "family_flow.json"),
        ("docs/accuracy.md", "ablation_table", "ablation.json"),
        ("docs/accuracy.md", "pubmed_ahead", "pubmed.json"),
        ("docs/accuracy.md", "pubmed_table", "pubmed.json"),
        ("docs/accuracy.md", "untuned_table", "untuned.json"),
        ("docs/accuracy.md", "real_networks_table", "real_networks.json"),
        ("docs/accuracy.md", "connected_table", "real_networks_connected.json"),
        ("docs/accuracy.md", "together_sentence", "calibration_together.json"),
        ("docs/accuracy.md", "strong_run_sentence", "strong_run.json"),
        ("docs/speed.md", "steps_table", "training_step.json"),
        ("docs/speed.md", "million_sentence", "training_step_1m.json"),
        ("docs/speed.md", "torch_kernels_sentence", "training_step_torch.json"),
        ("docs/speed.md", "passes_table", "evaluation_pass.json"),
        ("docs/speed.md", "paths_table", "paths.json"),
        ("docs/speed.md", "memory_sentence", "fit_memory.json"),
        ("docs/speed.md", "scatter_sentence", "propagation.json"),
        ("docs/speed.md", "dense_table", "dense_loss.json"),
        ("docs/speed.md", "growth_sentence", "growth.json"),
        ("docs/own_data.md", "own_data_table", "own_data.json"),
        ("docs/own_data.md", "new_nodes_table", "new_nodes.json"),
    ],
)
def test_tables_come_from_the_committed_results(page: str, name: str, result: str) -> None:
    module, text = tables(), (ROOT / page).read_text(encoding="utf-8")
    assert getattr(module, name)() in text
    command = module.load(result)["command"]
    shown = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert any(
        command.startswith(line) for line in shown if line.startswith(("graphvae benchmark", "python benchmarks/"))
    )


def test_every_result_is_in_a_table() -> None:
    used = {
        "links",
        "untuned",
        "real_networks",
        "real_networks_connected",
        "calibration_together",
        "strong_run",
        "pubmed",
        "inner_product",
        "family",
        "family_slow",
        "family_flow",
        "calibration",
        "likelihood_featureless",
        "ablation",
        "featureless",
        "accuracy",
        "likelihood",
        "digits",
        "few_labels",
        "mnist_burda",
        "pythae",
        "training_step",
        "training_step_1m",
        "training_step_torch",
        "evaluation_pass",
        "pair_kernels",
        "paths",
        "fit_memory",
        "propagation",
        "dense_loss",
        "growth",
        "own_data",
        "new_nodes",
    }
    assert {path.stem for path in (ROOT / "benchmarks" / "results").glob("*.json")} == used


def test_links_and_pictures_of_the_pages_are_there() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            assert "://" in target or (page.parent / target).exists(), (page.name, target)


def test_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    code, images = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len([line for line in code.splitlines() if line.strip()]) <= 10
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(code.replace('"cora"', '"digits-knn"').replace("epochs=200", "epochs=3"), names)
    assert (tmp_path / "cora.parquet").is_file()
    assert "AUC" in capsys.readouterr().out
    exec(images.replace("seed=0", "seed=0, epochs=1"), names)
    assert "VGAE" in capsys.readouterr().out


@pytest.mark.data
def test_shell_commands_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, data_root: Path
) -> None:
    (block,) = re.findall(r"```\n(graphvae train.*?)```", README, flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "friends.csv").write_text(
        "src,dst\n" + "\n".join(f"n{i},n{(i + step) % 20}" for i in range(20) for step in (1, 3)), encoding="utf-8"
    )
    for line in block.splitlines():
        arguments = shlex.split(line, comments=True)[1:]
        if arguments[0] == "train":
            arguments += ["--epochs", "2", "--quiet"]
        if arguments[0] == "benchmark":
            arguments = ["benchmark", "--datasets", "karate", "--models", "katz", "--runs", "2"]
        assert main(arguments) == 0, line
        capsys.readouterr()


def test_every_command_on_the_page_of_own_data_works_when_pasted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    page = (ROOT / "docs" / "own_data.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    lines = iter("".join(text for language, text in blocks if not language).splitlines())
    commands = 0
    for line in lines:
        if line.startswith("cat > "):
            (file,) = re.findall(r"^cat > (\S+) << 'END'$", line)
            Path(file).write_text("".join(f"{row}\n" for row in iter(lambda: next(lines), "END")), encoding="utf-8")
            continue
        program, *arguments = shlex.split(line)
        assert program == "graphvae"
        capsys.readouterr()
        to = arguments[-1] if ">" in arguments else None
        assert main(arguments if to is None else arguments[:-2]) == 0, line
        commands += 1
        if to is not None:
            Path(to).write_text(capsys.readouterr().out, encoding="utf-8")
    assert commands > 10
    for code in (text for language, text in blocks if language == "python"):
        exec(code, {})
        assert capsys.readouterr().out


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"make ([a-z-]+)", README):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target
