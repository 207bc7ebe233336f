"""The LogQL that puts errors into groups.

Loki does the grouping, with three instant queries: how often in the span, and the first
and the last time in the look-back. They stand here and nowhere else.
"""

from __future__ import annotations

__all__ = ["GROUP_LABELS", "count_query", "seen_query"]

#: What makes two errors the same.
GROUP_LABELS = ("app", "event", "error", "text")

# The last margin line of a traceback names the error; otherwise the first line does.
_PYTHON = r"(?s)^Traceback \\(most recent call last\\).*\\n([^\\s].*)$"
# The name before the colon, if there is one.
_NAMED = r"(?s)^(?:Uncaught )?([\\w.]*(?:Error|Exception))\\b.*$"
_CHANGES = (
    # ids and addresses, quoted words, numbers
    (r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", "#"),
    (r"\\b(?:0x)?[0-9a-fA-F]*[0-9][0-9a-fA-F]{7,}\\b", "#"),
    (r"'[^']*'|\\\"[^\\\"]*\\\"", "#"),
    (r"[0-9]+(?:[.,:][0-9]+)*", "#"),
)


def _pipeline(app: str) -> str:
    selector = f'{{app=~"{app}", level=~"error|fatal"}}'
    # Plain lines are no JSON: that is no error here.
    fields = (
        '| json type="err.type", text="err.message", msg="msg", message="message"'
        " | drop __error__, __error_details__"
        " | keep app, event, type, text, msg, message"
    )
    plain = f'regexReplaceAll "{_PYTHON}" __line__ "${{1}}"'
    chosen = (
        "{{ if .text }}{{ .text }}{{ else if .msg }}{{ .msg }}{{ else if .message }}"
        f"{{{{ .message }}}}{{{{ else }}}}{{{{ {plain} }}}}{{{{ end }}}}"
    )
    first = r'{{ regexReplaceAll "(?s)\\n.*" .text "" | trunc 200 }}'
    named = f'regexReplaceAll "{_NAMED}" .text "${{1}}"'
    error = (
        "{{ if .type }}{{ .type }}{{ else }}"
        f"{{{{ $n := {named} }}}}"
        "{{ if ne $n .text }}{{ $n }}{{ end }}{{ end }}"
    )
    stages = [
        f"| label_format text=`{chosen}`",
        f"| label_format text=`{first}`",
        f"| label_format error=`{error}`",
    ]
    stages += [
        f'| label_format text=`{{{{ regexReplaceAll "{pattern}" .text "{mark}" }}}}`'
        for pattern, mark in _CHANGES
    ]
    return " ".join([selector, fields, *stages])


def _by() -> str:
    return f"by ({', '.join(GROUP_LABELS)})"


def count_query(span: str, app: str = ".+") -> str:
    """How often each group came in the last `span` (LogQL duration)."""
    return f"sum {_by()} (count_over_time({_pipeline(app)} [{span}]))"


def seen_query(which: str, span: str, app: str = ".+") -> str:
    """The `min` (first) or `max` (last) time of each group in the last `span`.

    In seconds since 1970.
    """
    when = "| label_format seen=`{{ __timestamp__ | unixEpoch }}` | unwrap seen"
    return (
        f"{which} {_by()} ({which}_over_time({_pipeline(app)} {when} [{span}]) {_by()})"
    )
