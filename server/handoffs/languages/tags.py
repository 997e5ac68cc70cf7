"""The languages there are."""

from collections.abc import Mapping
from types import MappingProxyType

ENGLISH = "en"

LANGUAGES: Mapping[str, str] = MappingProxyType(
    {"en": "English", "de": "Deutsch", "es": "Español", "fr": "Français", "ja": "日本語", "zh-Hans": "简体中文"}
)
"""By their tags (BCP 47), in their own names."""
