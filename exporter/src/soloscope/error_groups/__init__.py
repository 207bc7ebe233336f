"""Errors as things, not lines: the same error many times is one group.

A group is an app, an event, a type of error and a message without what changes from
time to time (numbers, ids, quoted words). The digest and the errors dashboard ask the
same queries.
"""

from soloscope.error_groups.groups import Group, groups
from soloscope.error_groups.queries import GROUP_LABELS, count_query, seen_query

__all__ = ["GROUP_LABELS", "Group", "count_query", "groups", "seen_query"]
