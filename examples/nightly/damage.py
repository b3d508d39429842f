"""Copy a checkpoint with a chat template that is wrong in one place: a gate must notice.

    python examples/nightly/damage.py CHECKPOINT OUTPUT

Every turn is announced as the system's, as when a template is copied from another model family. The
weights are untouched, the model still thinks and answers, but it was never trained on such prompts.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

ROLE = "<|{{ message['role'] }}|>"
WRONG = "<|system|>"


def damage(checkpoint: Path, output: Path) -> None:
    """Write the damaged copy; ValueError when the template is not as expected, or OUTPUT exists."""
    template = (checkpoint / "chat_template.jinja").read_text(encoding="utf-8")
    if ROLE not in template:
        raise ValueError(f"{checkpoint}/chat_template.jinja has no {ROLE}: nothing to damage")
    if output.exists():
        raise ValueError(f"{output} is there already")
    shutil.copytree(checkpoint, output)
    (output / "chat_template.jinja").write_text(template.replace(ROLE, WRONG), encoding="utf-8")


def main() -> None:
    """Damage the checkpoint that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    try:
        damage(arguments.checkpoint, arguments.output)
    except (OSError, ValueError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
