"""Personal data in text for people is masked, and nothing else."""

from __future__ import annotations

import pytest

from soloscope.masking import masked


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+4915123456789", "***6789"),
        ("User: +49 1512 3456789 wrote", "User: ***6789 wrote"),
        ("+33 6 12 34 56 78", "***5678"),
        ("+49(0)151 23456789", "***6789"),
        ("+1 (415) 555-0132", "***0132"),
        ("0049 151 23456789", "***6789"),
        ("4915123456789", "***6789"),
        ("phone=4915123456789,", "phone=***6789,"),
        ("0171 2345678", "***5678"),
        ("(030) 9018-2010", "***2010"),
        ("+33\u00a06\u00a012\u00a034\u00a056\u00a078", "***5678"),
        ("write to kim.lee+x@example.co.uk now", "write to ***@*** now"),
        ("<kim@müller.example>", "<***@***>"),
    ],
)
def test_personal_data_is_masked(text: str, expected: str) -> None:
    assert masked(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-18",
        "2026-11-18T08:00:00.123Z",
        "2026-11-18 08:00:00+01:00",
        "1763452800",
        "1763452800123",
        "1763452800.123",
        "192.168.100.200",
        "550e8400-e29b-41d4-a716-446655440000",
        "c_20261118_003_9f8e7d6c",
        "u_007",
        "8 of 34 digests",
        "23 conversations, 1,234 users, 12345678 bytes",
        "trace 4bf92f3577b34da6a3ce929d0e0e4736",
        "3.14159265358979",
        "user@host",
        "v1.2.3",
        "",
    ],
)
def test_other_text_stays(text: str) -> None:
    assert masked(text) == text
