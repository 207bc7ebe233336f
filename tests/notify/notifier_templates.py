"""The approved templates, as docs/whatsapp.md has them."""

from __future__ import annotations

from graph_api import Template

ALERT = Template(
    "This is an alert from soloscope on your server: {{1}}\n\n{{2}}\n\nSince: {{3}}\n"
    "Open this page for more: {{4}}\n\nCheck logs for details."
)
DIGEST = Template(
    "📊 {{1}}: report of {{2}}\n"
    + "".join(f"• {{{{{n}}}}}\n" for n in range(3, 11))
    + "The dashboards have the rest."
)
TEMPLATES = {
    ("soloscope_alert", "en"): ALERT,
    ("soloscope_digest", "en"): DIGEST,
}
