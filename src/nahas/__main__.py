"""The command line. Tables go to stdout, progress and errors to stderr.

Exit codes: 0 done, 1 failed, 2 wrong use. What the user can repair is one line; an
error of the program keeps its traceback.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from io import TextIOWrapper

from nahas import (
    cli_co_train,
    cli_compare,
    cli_explain,
    cli_export,
    cli_one_shot,
    cli_prove,
    cli_search,
    cli_share,
    cli_simulate,
    cli_space,
    cli_study,
    cli_sweep,
    cli_train,
    cli_truth,
)
from nahas.usage import UsageError

_DESCRIPTION = """\
Searches a neural network and the edge accelerator that runs it, together."""
_EXAMPLES = """\
examples:
  nahas search                                    the quick start, in runs/quickstart
  nahas search --space s3 --controller evolution --max-latency-ms 0.4 --folder runs/s3
  nahas resume runs/quickstart --trials 300       extend it
  nahas simulate keras:EfficientNetB0 --top 10    what a network costs, and where
  nahas sweep keras:MobileNetV2 --max-area-mm2 30 its best of 50,000 accelerators

`nahas COMMAND --help` explains each command."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command; returns its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a name may hold what it cannot write
            stream.reconfigure(errors="backslashreplace")
    arguments = build_parser().parse_args(argv)
    try:
        code = int(arguments.run(arguments))
        sys.stdout.flush()
        return code
    except UsageError as error:
        return _failed(error, 2)
    except BrokenPipeError:
        # The reader has seen enough; Python's own flush at exit must not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _failed(RuntimeError("interrupted"), 1)
    except OSError as error:
        return _failed(error, 1)
    except RuntimeError as error:
        if not _is_domain_error(error):
            raise
        return _failed(error, 1)


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="nahas",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--version", action="version", version=f"nahas {version('nahas')}"
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    cli_search.add_commands(commands)
    cli_study.add_commands(commands)
    cli_simulate.add_commands(commands)
    cli_explain.add_commands(commands)
    cli_sweep.add_commands(commands)
    cli_share.add_commands(commands)
    cli_space.add_commands(commands)
    cli_truth.add_commands(commands)
    cli_prove.add_commands(commands)
    cli_one_shot.add_commands(commands)
    cli_co_train.add_commands(commands)
    cli_train.add_commands(commands)
    cli_export.add_commands(commands)
    cli_compare.add_commands(commands)
    return parser


def _is_domain_error(error: RuntimeError) -> bool:
    """Whether it is one of nahas's own, whose message says what to do."""
    return type(error).__module__.startswith("nahas.")


def _failed(error: Exception, code: int) -> int:
    text = " ".join(str(error).split())
    print(f"nahas: error: {text}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
