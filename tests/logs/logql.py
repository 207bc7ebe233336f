"""What LogQL in documents, rules and dashboards must keep to.

A range aggregation has a series for each value of each label and of each field of
structured metadata that it sees. So it is inside an aggregation, or has its own
`by`: otherwise one query over a week has thousands of series and is refused.
"""

from __future__ import annotations

import re

RANGE = re.compile(
    r"\b((?:count|rate|bytes|avg|sum|min|max|first|last|stddev|stdvar|quantile|absent)"
    r"_over_time|rate|bytes_rate|rate_counter)\s*\("
)
VECTOR = r"\b(?:sum|avg|min|max|count|stddev|stdvar|topk|bottomk|approx_topk)"
GROUPING = r"(?:by|without)\s*\([^()]*\)"
INSIDE = re.compile(rf"{VECTOR}\s*(?:{GROUPING}\s*)?\(\s*(?:[\d.]+\s*,\s*)?$")


def _closing(query: str, opening: int) -> int:
    """Where the parenthesis at `opening` ends; those in strings do not count."""
    depth = 0
    quote = ""
    at = opening
    while at < len(query):
        sign = query[at]
        if quote:
            if sign == "\\" and quote == '"':
                at += 1
            elif sign == quote:
                quote = ""
        elif sign in '"`':
            quote = sign
        elif sign == "(":
            depth += 1
        elif sign == ")":
            depth -= 1
            if depth == 0:
                return at
        at += 1
    raise ValueError(f"a parenthesis is open in {query}")


def bare_ranges(query: str) -> list[str]:
    """The range aggregations that nothing groups."""
    found = []
    for match in RANGE.finditer(query):
        end = _closing(query, match.end() - 1)
        grouped = re.match(rf"\s*{GROUPING}", query[end + 1 :])
        if not grouped and not INSIDE.search(query[: match.start()]):
            found.append(query[match.start() : end + 1])
    return found
