"""The `Range` header (RFC 9110, section 14). Ranges are half-open here: [start, end) in bytes."""

from __future__ import annotations

import re

from api.http.errors import Problem

# more ranges than any honest reader of one file asks for; such a header is ignored, as the RFC allows
MOST_RANGES = 16
# 10^18 bytes is more than any file; longer numbers are only there to be expensive
_RANGE = re.compile(r"(\d{0,18})-(\d{0,18})")


def parse_ranges(header: str, size: int) -> list[tuple[int, int]]:
    """The parts of a file of `size` bytes that `header` asks for: sorted, overlaps merged; empty for the whole file.

    A header that is no valid byte range is ignored, as the RFC asks.

    Raises:
        Problem: 416, no range of a valid header lies within the file.
    """
    unit, _, text = header.partition("=")
    parts = [part.strip() for part in text.split(",", MOST_RANGES)]
    if unit.strip().lower() != "bytes" or len(parts) > MOST_RANGES:
        return []
    found = []
    for part in parts:
        match = _RANGE.fullmatch(part)
        if match is None or part == "-" or (match[1] and match[2] and int(match[2]) < int(match[1])):
            return []
        first, last = match.groups()
        start = int(first) if first else max(0, size - int(last))
        end = min(size, int(last) + 1) if first and last else size
        if start < end:
            found.append((start, end))
    if not found:
        raise Problem(
            "range_not_satisfiable",
            f"The file has {size} bytes; none of the ranges asked for lies within it.",
            headers={"Content-Range": f"bytes */{size}"},
        )
    return _merged(sorted(found))


def _merged(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged = [ranges[0]]
    for start, end in ranges[1:]:
        last_start, last_end = merged[-1]
        if start <= last_end:
            merged[-1] = (last_start, max(last_end, end))
        else:
            merged.append((start, end))
    return merged
