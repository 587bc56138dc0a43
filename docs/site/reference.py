"""Writes the pages of the reference: every public name once, as autodoc or as another name of something."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from importlib import import_module
from operator import attrgetter
from typing import Any

from public import Name, homes, public, standard

import tensorgrad as tg
from tensorgrad.functions.namespace import CONSTANT, DIFFERENTIABLE, Namespace

# The functions by subject: page, title, modules of tensorgrad.functions.
FUNCTIONS = (
    (
        "functions-elementwise",
        "Arithmetic and elementary functions",
        "arithmetic elementwise trigonometric comparison selection complex_parts",
    ),
    ("functions-reductions", "Sums, extremes and running sums", "reduction extremes cumulative"),
    (
        "functions-shapes",
        "Shapes, joining, indexing",
        "manipulation joining rearrangement indexing inplace diagonals transfer",
    ),
    (
        "functions-linalg",
        "Linear algebra",
        "linalg contraction norms solving decompositions spectra eigen determinants",
    ),
    ("functions-fourier", "Fourier transforms", "fourier fourier_real"),
    ("functions-numeric", "Sampled functions", "numeric"),
    (
        "functions-special",
        "Special functions",
        "special special_gamma special_beta special_incomplete special_normal special_distributions",
    ),
    ("functions-activations", "Activations and softmax", "activation softmax"),
    (
        "functions-losses",
        "Losses and measures",
        "losses_classes classification loss losses_values losses_sequences metrics",
    ),
    (
        "functions-networks",
        "Parts of networks",
        "convolution pools patches normalization noise embedding recurrent attention collectives",
    ),
)

# The other modules: page, title, module.
MODULES = (
    ("tensorgrad", "Variables, modes, derivatives", "tensorgrad"),
    ("layers", "Layers", "tensorgrad.layers"),
    ("initializers", "Initializers", "tensorgrad.layers.initializers"),
    ("models", "Models", "tensorgrad.models"),
    ("optimizers", "Optimizers", "tensorgrad.optimizers"),
    ("training", "Training", "tensorgrad.training"),
    ("datasets", "Data sets", "tensorgrad.datasets"),
    ("dataloaders", "Data loaders", "tensorgrad.dataloaders"),
    ("transforms", "Transforms of examples", "tensorgrad.transforms"),
    ("distributed", "Several processes", "tensorgrad.distributed"),
    ("cuda", "The GPU through CuPy", "tensorgrad.cuda"),
    ("tools", "Instruments", "tensorgrad.tools"),
    ("exporting", "ONNX files", "tensorgrad.exporting"),
    ("migration", "Weights of PyTorch and JAX", "tensorgrad.migration"),
    ("testing", "Test kit", "tensorgrad.testing"),
    ("graphs", "Pictures of graphs", "tensorgrad.graphs"),
    ("utils", "Tools of the book", "tensorgrad.utils"),
    ("backend", "The backend contract", "tensorgrad.backend"),
)

# Modules whose names are mostly those of functions: at the end of which page they are listed.
OTHER_NAMES = {"functions-fourier": "tensorgrad.fft", "functions-special": "tensorgrad.special"}

ABOUT_STANDARD = """\
``tensorgrad`` is a namespace of the
`Array API standard <https://data-apis.org/array-api/latest/>`_, and so is
what ``v.__array_namespace__()`` gives. Where functions of the standard have a derivative, they are ops:
"""

ABOUT_CONSTANTS = """\
The others are the array library's own. Variables go in as arrays, and constants come out: the derivative
is 0 or does not exist. Functions that create arrays use the default backend (`tensorgrad.using_backend`).
What they take and give is in the standard:
"""

# Names of the standard that tensorgrad computes itself.
WRITTEN_HERE = DIFFERENTIABLE.keys() | CONSTANT.keys() | vars(Namespace).keys()


def heading(text: str, line: str = "=") -> str:
    """A title of reStructuredText."""
    return f"{text}\n{line * len(text)}\n"


def about(module: str) -> str:
    """What the docstring of a module says."""
    return inspect.cleandoc(import_module(module).__doc__ or "") + "\n"


def entry(name: Name, home: str) -> str:
    """The description of a name."""
    if home != name.path:
        return f".. py:{name.kind}:: {name.name}\n\n   The same as `{home}`.\n"
    members = "   :members:\n" if name.kind == "class" else ""
    values = "   :no-value:\n" if name.kind == "data" else ""
    return f".. auto{name.kind}:: {name.name}\n{members}{values}"


def targets(paths: Iterable[str]) -> str:
    """Names that can be found and referred to, with nothing to show."""
    return "\n".join(f".. py:function:: {path}()\n   :no-typesetting:\n" for path in paths)


def table(names: list[Name]) -> str:
    """A link to each name and what it does in a line; nothing for a single one."""
    if len(names) == 1:
        return ""
    rows = "\n".join(f"   {name.name}" for name in names)
    return f".. autosummary::\n   :nosignatures:\n\n{rows}\n"


def section(origin: str, names: list[Name], where: dict[str, str]) -> str:
    """The names that one module defines, under the first sentence of its docstring."""
    first = about(origin).partition("\n\n")[0].replace("\n", " ").strip()
    title = re.split(r"[:;.]", first)[0]
    if len(title) > 50:
        title = title.partition(",")[0]
    return "\n".join(
        [heading(title, "-"), first + "\n", table(names), *(entry(name, where[name.path]) for name in names)]
    )


def by_origin(names: list[Name]) -> dict[str, list[Name]]:
    """The module that defines it -> names."""
    found: dict[str, list[Name]] = {}
    for name in names:
        found.setdefault(name.origin, []).append(name)
    return found


def page(title: str, module: str, names: list[Name], where: dict[str, str]) -> str:
    """A module on one page: what each of its own modules defines, then other names of things elsewhere."""
    described = by_origin([name for name in names if where[name.path] == name.path])
    others = [name for name in names if where[name.path].rpartition(".")[0] != module]
    parts = [heading(title), f".. py:module:: {module}\n", about(module)]
    if len(described) == 1:
        parts += [table(names), *(entry(name, where[name.path]) for name in names)]
        return "\n".join(parts)
    for origin in sorted(described):
        here = {name.path for name in described[origin]}
        parts.append(section(origin, [name for name in names if where[name.path] in here], where))
    if others:
        parts += [heading("Names from elsewhere", "-"), *(entry(name, where[name.path]) for name in others)]
    return "\n".join(parts)


def other_names(module: str, names: list[Name], where: dict[str, str]) -> str:
    """A module that has functions of `tensorgrad.functions` under the same names, and perhaps others."""
    same = [name for name in names if where[name.path] != name.path]
    own = [name for name in names if where[name.path] == name.path]
    links = " · ".join(f"`~{where[name.path]}`" for name in same)
    parts = [heading(module, "-"), f".. py:module:: {module}\n", about(module)]
    parts += [f"It has {links}.\n", targets(name.path for name in same)]
    return "\n".join([*parts, *(entry(name, name.path) for name in own)])


def pages_of_functions(names: list[Name], where: dict[str, str]) -> dict[str, str]:
    """`tensorgrad.functions` by subject. An error if a module is on no page."""
    origins = by_origin(names)
    prefix = "tensorgrad.functions."
    written = {}
    for file, title, modules in FUNCTIONS:
        parts = [heading(title), ".. py:currentmodule:: tensorgrad.functions\n"]
        here = [prefix + module for module in modules.split()]
        if file == "functions-special":  # and all others of that name
            here += sorted(m for m in origins.keys() - set(here) if m.startswith(f"{prefix}special_"))
        parts += [section(module, origins.pop(module), where) for module in here]
        written[file] = "\n".join(parts)
    if origins:
        raise LookupError(f"docs/site/reference.py: the table FUNCTIONS has no page for {sorted(origins)}")
    return written


def values_of(where: dict[str, str]) -> dict[str, Any]:
    """What each home names."""
    return {home: attrgetter(home.removeprefix("tensorgrad."))(tg) for home in sorted({*where.values()})}


def page_of_standard(where: dict[str, str]) -> str:
    """The names that `tensorgrad` has from the Array API standard."""
    known = {id(value): path for path, value in values_of(where).items()}
    ops, described, own = [], [], []
    for path in standard():
        value = attrgetter(path.removeprefix("tensorgrad."))(tg)
        if id(value) in known:
            ops.append((path, known[id(value)]))
        elif callable(value) and path.rpartition(".")[2] in WRITTEN_HERE:
            described.append(path)
        else:
            own.append(path)
    names = [path.removeprefix("tensorgrad.") for path in own]
    parts = [heading("Names of the Array API"), ABOUT_STANDARD]
    parts += [".. hlist::\n   :columns: 2\n", *(f"   - ``{path}``: `~{home}`" for path, home in ops), ""]
    parts += [targets(path for path, _ in ops), ABOUT_CONSTANTS]
    parts += [" · ".join(f":standard:`{name}`" for name in names) + "\n", targets(own)]
    parts += [heading("Described here", "-"), ".. py:currentmodule:: tensorgrad\n"]
    parts += [f".. autofunction:: {path.removeprefix('tensorgrad.')}\n" for path in described]
    return "\n".join(parts)


def pages() -> dict[str, str]:
    """File name -> text, of all pages."""
    names = public()
    where = homes(names)
    written = pages_of_functions(names["tensorgrad.functions"], where)
    for file, module in OTHER_NAMES.items():
        written[file] += "\n" + other_names(module, names[module], where)
    for file, title, module in MODULES:
        written[file] = page(title, module, names[module], where)
    written["array-api"] = page_of_standard(where)
    known = {"tensorgrad.functions", *OTHER_NAMES.values(), *(module for _, _, module in MODULES)}
    if names.keys() - known:
        raise LookupError(f"docs/site/reference.py: MODULES has no page for {sorted(names.keys() - known)}")
    return {f"{file}.rst": text for file, text in written.items()}


def places() -> dict[type, str]:
    """Every public class -> where it is described."""
    values = values_of(homes(public()))
    return {value: path for path, value in values.items() if inspect.isclass(value)}
