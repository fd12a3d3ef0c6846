"""The command line: parse, call an estimator, print. Results go to stdout, everything else to stderr."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from graphvae._check import InputError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0, 1 if training failed, 2 for bad input, 130 if interrupted.

    Bad input ends in one line on stderr, ``graphvae: error: ...``; anything unforeseen keeps its traceback.
    """
    import typer

    from graphvae.cli.app import app
    from graphvae.training.loop import NonFiniteError

    try:
        status = app(args=None if arguments is None else list(arguments), prog_name="graphvae", standalone_mode=False)
    except InputError as error:
        return _fail(str(error), 2)
    except NonFiniteError as error:
        return _fail(str(error), 1)
    except OSError as error:
        return _fail(str(error), 2)
    except (KeyboardInterrupt, typer.Abort):  # which of the two, typer's version decides
        return _fail("interrupted", 130)
    except Exception as error:
        # Usage errors of the parser, whichever library typer brings it from.
        if not hasattr(error, "format_message"):
            raise
        return _fail(error.format_message(), 2)
    return status if isinstance(status, int) else 0


def _fail(message: str, status: int) -> int:
    print("graphvae: error: " + " ".join(message.split()), file=sys.stderr)
    return status
