"""``graphvae resume``: a training run that was killed goes on as if it had not been."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphvae._check import InputError
from graphvae.cli.prepare import prepare
from graphvae.cli.settings import resumed_settings
from graphvae.cli.train import carry_out, train

__all__ = ["resume"]


def resume(
    run: Annotated[Path, typer.Argument(help="The folder of a run that graphvae train did not finish.")],
    checkpoint_every: Annotated[float, typer.Option(help="Seconds after which it is saved again.")] = 60.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress bar.")] = False,
) -> None:
    """Go on with a run that was interrupted, from where it was last saved; its result is that of one that was not."""
    from graphvae.estimators.run_folder import CHECKPOINT, is_run
    from graphvae.training.checkpoint import Checkpoint

    file = run / CHECKPOINT
    if not file.is_file():
        found = "is a run that is finished" if is_run(run) else f"has no {CHECKPOINT}"
        raise InputError(f"{str(run)!r} {found}: expected a run that graphvae train did not finish")
    about = Checkpoint.read_about(file)
    if not isinstance(about, dict):
        raise InputError(f"{file} was written from Python: fit(..., checkpoint=...) goes on from it")
    settings = resumed_settings(train, {**about, "out": str(run)}, file)
    with settings.told():
        carry_out(prepare(settings), checkpoint_every, resumed=True, quiet=quiet, as_json=as_json)
