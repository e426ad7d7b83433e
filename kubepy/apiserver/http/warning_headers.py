"""Warnings as the headers that carry them: each once, and not more than a response should bear.

Source: apiserver pkg/endpoints/filters/warning.go; apimachinery pkg/util/net/http.go (NewWarningHeader).
"""

from collections.abc import Iterable

_ALL_AT_MOST = 4 * 1024
"""Characters of all warnings together, before each is cut."""
_EACH_AT_MOST = 256


def warning_headers(warnings: Iterable[str]) -> list[str]:
    """The values of the Warning headers. Texts that no header can hold (control characters) are left out."""
    texts = [text for text in dict.fromkeys(warnings) if text and not any(map(_is_control, text))]
    if sum(map(len, texts)) > _ALL_AT_MOST:
        texts = _cut(texts)
    return [f'299 - "{_quoted(text)}"' for text in texts]


def _cut(texts: list[str]) -> list[str]:
    kept: list[str] = []
    written = whole = 0
    for text in texts:
        whole += len(text)
        if whole > _ALL_AT_MOST and written >= _ALL_AT_MOST:
            break
        kept.append(text[:_EACH_AT_MOST])
        written += len(kept[-1])
    return kept


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
