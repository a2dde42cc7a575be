"""The cell of a row by which it is chosen for what is done to many. In every template (settings.TEMPLATES)."""

from __future__ import annotations

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def tick(item: object, label: object) -> SafeString:
    """item: what the action calls it; label: what people do."""
    box = '<input type="checkbox" name="on" value="{}" form="bulk" aria-label="Choose {}">'
    return format_html(f'<td class="on"><label>{box}</label></td>', item, label)
