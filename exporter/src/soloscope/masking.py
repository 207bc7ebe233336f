"""Personal data in text that people read: a phone number becomes `***1234`.

The log shipper masks lines before they are stored. This is for text from elsewhere,
such as values in Redis and requests to `soloscope notify`, and masks more: the digits
of a long number cost a reader less than somebody's phone number.
"""

from __future__ import annotations

import re

__all__ = ["masked"]

_GAP = r"[ \u00a0\u202f().\u2010\u2011/-]{0,3}"
_NOT_PHONE = (
    # dates and times, Unix times in seconds and milliseconds (until 2033), UUIDs,
    # IP addresses
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:?\d\d(?::?\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?"
    r"|(?<![\w+])1[5-9]\d{8}(?:\d{3})?(?:\.\d+)?(?!\w)"
    r"|(?<!\w)[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?!\w)"
    r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w.])"
)
_PHONE = (
    # E.164: at most 15 digits
    rf"(?<!\w)(?:\+|00)(?:{_GAP}\d){{7,15}}(?!\w)"
    # as written at home: 0171 2345678, (030) 9018-2010
    rf"|(?<![\w.-])\(?0[1-9](?:{_GAP}\d){{6,12}}(?![\w.])"
    # bare digits: 4915123456789
    r"|(?<![\w.-])[1-9]\d{9,14}(?![\w.])"
)
_TEXT = re.compile(
    rf"(?P<other>{_NOT_PHONE})|(?P<phone>{_PHONE})"
    r"|(?P<mail>[^\s@<>\"'(),:;]+@(?:[\w-]+\.)+[^\W\d_]{2,24})"
)


def masked(text: str) -> str:
    """`text` with phone numbers as `***1234` and e-mail addresses as `***@***`."""
    return _TEXT.sub(_replacement, text)


def _replacement(match: re.Match[str]) -> str:
    if match["mail"]:
        return "***@***"
    if match["phone"]:
        digits = [c for c in match["phone"] if c.isdigit()]
        return "***" + "".join(digits[-4:])
    return match[0]
