"""Exercises: the reader's function, judged by the very witnesses of a claim.

`judge` runs wherever the package and a file of claims do: in the page, or in an interpreter. A witness that needs a
library which is not there is left out, and said to be.
"""

import dataclasses
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from dlnotes import check

ALIKE = 1e-6  # an answer this near to a slip's is that slip
SHOWN = 24  # larger arrays are told by their shape


def judge(ident: str, answer: Callable, tests: ModuleType) -> bool:
    """Print what the witnesses of claim `ident` say of `answer`, and give whether they accept it.

    Args:
        ident: the id of a claim.
        answer: called as the claim's own answer function is.
        tests: the module of the file of claims that registers the claim.

    Raises:
        ValueError: no witness of that claim takes an answer.
    """
    functions = [f for f in vars(tests).values() if inspect.isfunction(f) and hasattr(f, "dlnotes")]
    functions = [f for f in functions if f.dlnotes.id == ident]
    witnesses = [f for f in functions if isinstance(f.dlnotes, check.Claim) and f.dlnotes.answer]
    slips = [f for f in functions if isinstance(f.dlnotes, check.Slip)]
    if not witnesses:
        raise ValueError(f"ident {ident!r}: no witness of such a claim takes an answer")
    held, absent = 0, []
    for witness in witnesses:
        try:
            told = _objection(witness, answer, slips)
        except (ModuleNotFoundError, check.NotHere) as error:
            absent.append(error.name or "a library")
            continue
        if told:
            print(f"Not yet. {told}")
            return False
        held += 1
    left = f" {len(absent)} more need {', '.join(sorted(set(absent)))}, not loaded here." if absent else ""
    if not held:
        print(f"Not judged.{left}")
        return False
    print(f"Right: accepted by {held} check{'s' * (held > 1)} of the claim.{left}")
    return True


def _objection(witness: Callable, answer: Callable, slips: list[Callable]) -> str:
    """Why the witness refuses the answer, at the first case where it does; empty where it never does."""
    entry, name = witness.dlnotes, getattr(answer, "__name__", "answer")
    for number, arguments in enumerate(check._each(entry.cases), 1):
        try:
            check._run(entry, answer, arguments)
        except check.Refused as refusal:
            if (slip := _resembled(answer, arguments, slips)) is not None:
                says = inspect.getdoc(slip).partition("\n\n")[0].replace("\n", " ")
                return f"This is the slip `{slip.__name__}`: {says}"
            where = f" in case {number}" if arguments else ""
            told = [f"`{witness.__name__}` refuses it{where}: {refusal}.", *map(_inputs, arguments)]
            told += [f"{name} gave:\n{_shown(answer(*arguments))}", f"right is:\n{_shown(entry.answer(*arguments))}"]
            return "\n".join(filter(None, told))
        except (ModuleNotFoundError, check.NotHere):
            raise
        except check.Malformed as error:
            if "floats are for agree" not in str(error):
                raise
            return (
                f"`{witness.__name__}` works in exact fractions, and this answer holds floats: keep the case's numbers."
            )
        except Exception as error:
            where = f" in case {number}" if arguments else ""
            return f"Judging it{where} raised {type(error).__name__}: {error}"
    return ""


def _resembled(answer: Callable, arguments: tuple, slips: list[Callable]) -> Callable | None:
    for slip in slips:
        try:
            if _alike(answer(*arguments), slip(*arguments)):
                return slip
        except (ModuleNotFoundError, check.NotHere, ArithmeticError, TypeError, ValueError):
            continue  # a slip that cannot run here is no help
    return None


def _alike(a: Any, b: Any) -> bool:
    parts, others = check._parts(a), check._parts(b)
    if parts is not None or others is not None:
        return (
            parts is not None and others is not None and len(parts) == len(others) and all(map(_alike, parts, others))
        )
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        return False
    if a.dtype.kind in "fc" or b.dtype.kind in "fc":
        scale = np.max(np.abs(b[np.isfinite(b)]), initial=0)
        return bool(np.allclose(a, b, rtol=ALIKE, atol=ALIKE * scale, equal_nan=True))
    return bool(np.all(a == b))


def _inputs(case: Any) -> str:
    """The case, field by field, arrays of any length by their shape."""
    if not dataclasses.is_dataclass(case):
        return f"case: {_shown(case)}"
    fields = [(field.name, getattr(case, field.name)) for field in dataclasses.fields(case)]
    return "\n".join(f"case.{name}: {_shown(value)}" for name, value in fields if not callable(value))


def _shown(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.size > SHOWN:
        return f"array of shape {value.shape}, {value.dtype}"
    if (parts := check._parts(value)) is not None and not isinstance(value, tuple | list):
        names = [field.name for field in dataclasses.fields(value)]
        return "\n".join(f"{name}: {_shown(part)}" for name, part in zip(names, parts, strict=True))
    text = np.array2string(value, precision=6) if isinstance(value, np.ndarray) else repr(value)
    return text if len(text) <= 2000 else text[:2000] + " ..."
