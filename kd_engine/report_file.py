"""A report as the text of `report.json`."""

from __future__ import annotations

import json
import re
from typing import Any

# A list of nothing but numbers that json has spread over lines. Text cannot look like it: JSON escapes line breaks.
_NUMBERS = re.compile(r"\[\n[-+\d.eE,\s]*\]")


def report_text(report: dict[str, Any]) -> str:
    """Indented JSON with each list of numbers, such as a row of a confusion matrix, on one line."""
    text = json.dumps(report, indent=2, allow_nan=False)
    return _NUMBERS.sub(lambda found: "[" + " ".join(found[0][1:-1].split()) + "]", text) + "\n"
