"""How Sphinx makes the site: `nox -s docs`."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "site"))

import drawings  # noqa: E402  (from the folder above)
import gallery  # noqa: E402
import pages  # noqa: E402
import reference  # noqa: E402

import tensorgrad as tg  # noqa: E402

project = "tensorgrad"
author = "The tensorgrad authors"
copyright = author
version = release = tg.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.extlinks",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "site", "tutorial/*/*"]
nitpicky = True
# A name in single backticks is a link if it is a public name, and code otherwise: `x`, a parameter.
default_role = "py:obj"
nitpick_ignore_regex = [("py:obj", ".*")]
toc_object_entries = False
suppress_warnings = [
    "sphinx_gallery.duplicate_filename"
]  # each page of the tutorial is there in two languages

# -- Markdown ------------------------------------------------------------------------------------

myst_enable_extensions = ["colon_fence", "dollarmath", "attrs_inline"]
myst_heading_anchors = 3

# -- the tutorial: scripts that are run while the site is made ---------------------------------------

LANGUAGES = {"en": "English", "ko": "한국어"}
sphinx_gallery_conf = {
    "examples_dirs": [f"tutorial/{language}" for language in LANGUAGES],
    "gallery_dirs": [f"learn/{language}" for language in LANGUAGES],
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "reference_url": {"tensorgrad": None},  # names in the code are links to the reference
    "reset_modules": ("matplotlib", "pages.as_at_the_start"),
    "write_computation_times": False,
    "show_signature": False,
}

# -- the reference -------------------------------------------------------------------------------

autosummary_generate = False
autodoc_typehints = "none"  # the docstrings have types, shapes and units
autodoc_member_order = "bysource"
autodoc_default_options = {"show-inheritance": True}
numpydoc_show_class_members = False
extlinks = {
    "standard": ("https://data-apis.org/array-api/latest/API_specification/generated/array_api.%s.html", "%s")
}

# -- how it looks --------------------------------------------------------------------------------

html_theme = "furo"
html_title = "tensorgrad"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "source_repository": "https://github.com/tensorgrad/tensorgrad/",
    "source_branch": "main",
    "source_directory": "docs/",
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True


pages.write(HERE / "reference", reference.pages())
pages.write(HERE / "examples", gallery.pages())
drawings.write(HERE / "explanation")
PLACES = reference.places()


def public_bases(app: Any, name: str, obj: Any, options: Any, bases: list[Any]) -> None:
    """Show of what a class derives from only what is public, under its public name."""
    bases[:] = [f":py:obj:`{PLACES[base]}`" for base in bases if base in PLACES]


def other_language(app: Any, docname: str, content: list[str]) -> None:
    """Begin each page of the tutorial with a link to the same page in the other language."""
    folder, _, page = docname.removeprefix("learn/").partition("/")
    if docname.startswith("learn/"):
        others = (f":doc:`{name} </learn/{key}/{page}>`" for key, name in LANGUAGES.items() if key != folder)
        text = content[0].removeprefix(":orphan:\n")  # it is in a menu all the same
        content[0] = f".. container:: language\n\n   {' · '.join(others)}\n\n{text}"


def initials(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Let a line begin with the initials of an author: it is no item of a list."""
    lines[:] = [re.sub(r"^(\s*[A-Z])\. ", r"\1\\. ", line) for line in lines]


def tell_language(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Tell browsers in which language a page of the tutorial is."""
    if page.startswith("learn/"):
        context["language"] = page.split("/")[1]


def setup(app: Any) -> None:
    """Say what happens beside what the extensions do."""
    app.connect("autodoc-process-bases", public_bases)
    app.connect("autodoc-process-docstring", initials, priority=600)  # after numpydoc
    app.connect("source-read", other_language)
    app.connect("html-page-context", tell_language)
