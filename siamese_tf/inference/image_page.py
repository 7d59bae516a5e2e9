"""A web page with small copies of images, in one file that needs no other."""

import base64
import html
import io
from collections.abc import Iterable
from pathlib import Path

from siamese_tf.data.images.decode import decode_image
from siamese_tf.errors import ImageError

SIDE = 160  # pixels, the longer side of a small copy
STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 70rem; padding: 1rem; }
ol { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
ol { list-style: none; padding: 0; }
li { align-content: start; display: flex; flex-wrap: wrap; gap: .5rem; padding: .75rem; }
li { border: 1px solid color-mix(in srgb, currentColor 25%, transparent); border-radius: .5rem; }
li > p { width: 100%; }
figure { margin: 0; width: calc(50% - .25rem); }
img { aspect-ratio: 1; display: block; object-fit: contain; width: 100%; }
figcaption { font-size: .8rem; overflow-wrap: anywhere; }
p { margin: .25rem 0; }
"""


def image_page(title: str, summary: Iterable[str], items: Iterable[str]) -> str:
    """Returns a page in HTML.

    Args:
        title: title and heading.
        summary: paragraphs below the heading.
        items: contents of the cards, in HTML; text in them must be escaped.
    """
    paragraphs = "\n".join(f"<p>{html.escape(line)}</p>" for line in summary)
    cards = "\n".join(f"<li>{item}</li>" for item in items)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"<main>\n<h1>{html.escape(title)}</h1>\n{paragraphs}\n<ol>\n{cards}\n</ol>\n</main>\n</body>\n</html>\n"
    )


def figure(path: str | Path, caption: str) -> str:
    """Returns a figure with a small copy of an image file, or with its caption only if it cannot be read."""
    text = html.escape(caption)
    try:
        image = decode_image(path).convert("RGB")
    except ImageError:
        return f"<figure><figcaption>{text} (unreadable)</figcaption></figure>"
    image.thumbnail((SIDE, SIDE))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=85)
    data = base64.b64encode(content.getvalue()).decode("ascii")
    return f'<figure><img alt="{text}" src="data:image/jpeg;base64,{data}"><figcaption>{text}</figcaption></figure>'
