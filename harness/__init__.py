"""An evaluation harness for reasoning models; see `harness --help`.

tasks/ and reports/ lie beside this folder in the repository and become `harness.tasks` and
`harness.reports` when the package is installed (setup.cfg).
"""

from importlib.util import find_spec as _find_spec

__version__ = "0.1.0"

if not (_find_spec("harness.tasks") and _find_spec("harness.reports")):
    raise ImportError(
        f"{__file__} lies in a checkout that is not installed, so there is no harness.tasks and no "
        "harness.reports: run `pip install --editable .` in the checkout (`make` does it for you)"
    )
