"""The command line. One small file per verb; a verb's file is imported only when it is named,
so ``vadkit --help`` starts without torch."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import sys
from collections.abc import Sequence
from typing import NoReturn

from vadkit.cli.completion import complete, is_completing
from vadkit.cli.memory import check_limit, out_of_memory
from vadkit.cli.path_faults import refused_path
from vadkit.cli.terminate import ended_as_interrupted
from vadkit.problems import VadkitError, did_you_mean, fail, nearest, render
from vadkit.terminal import OutputLost, clean_streams

# verb -> what it does. A verb lives in vadkit/cli/VERB.py (dashes become underscores) and has
# ``add_arguments(parser)`` and ``run(args) -> int``.
VERBS = {
    "build": "check a YAML graph, print its table, write a diagram or a model file",
    "list": "list plugins, components or configs",
    "info": "show a component, a system, a config, or a key of a config",
    "new-plugin": "write a plugin package that installs and passes its own tests",
    "extract": "extract features from videos into a store that training reads",
    "train": "train a graph on features",
    "eval": "score a data set with a trained model and report AP, AUC and related figures",
    "calibrate": "learn the threshold of a model from ordinary footage, for a wanted number of false alarms",
    "predict": "score videos with a trained model: JSON, CSV and a page for each",
    "watch": "watch cameras and recordings with a trained model, and pass on events as they happen",
    "corrupt": "write copies of videos with damaged pictures or sound",
    "distill": "train a smaller graph on the scores and features of a trained model",
    "export": "write a trained model as ONNX, OpenVINO or a torch program, checked against it",
    "models": "list the published systems with fidelity and sizes, or show one",
    "weights": "import the weights of a published system; list and check those of backbones",
    "store": "import, generate, inspect, check, compare, pack and merge stores of features",
    "demo": "render a small data set, train the paper's systems on it and compare them",
    "bench": "compare variants of a graph: train, score and time each",
}


class Parser(argparse.ArgumentParser):
    """Reports what is wrong with the arguments in one line and a hint."""

    arguments: tuple[str, ...] = ()

    def parse_known_args(self, args=None, namespace=None):  # type: ignore[no-untyped-def]  # as argparse has it
        self.arguments = tuple(args or ())
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        hint = f"see '{self.prog} --help'"
        unknown = self._unknown_option()
        if unknown is not None:  # argparse would report what is missing instead
            close = nearest(unknown, self._options())
            message = f"{self.prog.removeprefix('vadkit ')} has no option {unknown}"
            hint = f"did you mean {close}?" if close else hint
        number = re.fullmatch(r"argument (\S+): invalid (int|float) value: '(.*)'", message)
        if number:
            message = f"{number[1]} must be a {'whole ' * (number[2] == 'int')}number, got '{number[3]}'"
        message = message.removesuffix(", ...")  # the arguments of a verb below this one
        sys.stderr.write(f"vadkit: {message}\n  hint: {hint}\n")
        raise SystemExit(2)

    def _unknown_option(self) -> str | None:
        own = self.arguments[: self.arguments.index("--")] if "--" in self.arguments else self.arguments
        written = [word.partition("=")[0] for word in own if word.startswith("--")]
        return next((w for w in written if not any(known.startswith(w) for known in self._options())), None)

    def _options(self) -> list[str]:
        """Return the options of this parser and of those below it."""
        options = [*self._option_string_actions]
        for action in self._actions:
            if isinstance(action, argparse._SubParsersAction):
                for parser in action.choices.values():
                    options += parser._option_string_actions
        return options


def _help() -> str:
    lines = ["usage: vadkit [--version] [--debug] VERB ...", ""]
    lines += [f"  {verb:<12} {what}" for verb, what in VERBS.items()]
    return "\n".join([*lines, "", "See 'vadkit VERB --help' for each."])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 2 bad input or lost output, 130 interrupted."""
    # Not list(): once the verb was run, vadkit.cli.list is that verb's module.
    arguments = [*(sys.argv[1:] if argv is None else argv)]
    if is_completing():
        complete(VERBS, _add_arguments)
    debug = bool(os.environ.get("VADKIT_DEBUG"))
    while arguments and arguments[0] == "--debug":
        debug, arguments = True, arguments[1:]
    with clean_streams():
        try:
            code = _guarded(arguments, debug)
            sys.stdout.flush()
            return code
        except OutputLost as error:
            if not error.gone:
                sys.stderr.write(f"vadkit: {error}\n")
            return 0 if error.gone else 2


def _guarded(arguments: list[str], debug: bool) -> int:
    """Run a verb and return its exit code; what users can cause ends in a line."""
    try:
        return _run(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 2
    except VadkitError as error:
        if debug:
            raise
        sys.stderr.write(render(error.problems) + "\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130
    except OutputLost:
        raise
    except Exception as error:
        said = None if debug else refused_path(error) or out_of_memory(error, arguments)
        if said is None:
            raise
        sys.stderr.write(f"vadkit: {said}\n")
        return 2


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if arguments[0] == "--version":
        from vadkit import __version__

        print(f"vadkit {__version__}")
        return 0
    verb = arguments[0]
    if verb not in VERBS:
        fail(f"vadkit: there is no verb '{verb}'", did_you_mean(verb, VERBS) or "see 'vadkit --help'")
    check_limit(verb)
    module = importlib.import_module(f"vadkit.cli.{verb.replace('-', '_')}")
    parser = Parser(prog=f"vadkit {verb}", description=module.__doc__)
    module.add_arguments(parser)
    parsed = parser.parse_args(arguments[1:])
    try:
        with ended_as_interrupted():
            return int(module.run(parsed) or 0)
    except VadkitError as error:
        from vadkit.cli.argument_names import as_options

        raise VadkitError([as_options(problem, parser) for problem in error.problems]) from error


def _add_arguments(verb: str, parser: argparse.ArgumentParser, written: Sequence[str]) -> None:
    """Add what a verb takes, and what the verb below it takes that is ``written``: for completion."""
    module = importlib.import_module(f"vadkit.cli.{verb.replace('-', '_')}")
    if not hasattr(module, "VERBS"):
        module.add_arguments(parser)
        return
    below = parser.add_subparsers()
    for name, what in module.VERBS.items():
        chosen = below.add_parser(name, help=what)
        if name in written:
            importlib.import_module(f"vadkit.cli.{verb}_{name}".replace("-", "_")).add_arguments(chosen)
