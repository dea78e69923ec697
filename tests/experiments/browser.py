"""Pages in a headless Chromium, driven by its command line."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PROGRAM = next(filter(None, map(shutil.which, NAMES)), None)
needs_browser = pytest.mark.skipif(PROGRAM is None, reason=f"no browser is installed: none of {', '.join(NAMES)} is on the PATH (apt-get install chromium)")


def in_frames(pages: Mapping[str, str], widths: Sequence[int], expression: str, folder: Path) -> dict[tuple[str, int], Any]:
    """Show each page in a frame of each width, in one browser; return what a JavaScript expression of its window `w` gives there.

    A frame is its page's whole screen (media queries too), and may be narrower than the narrowest window that a browser opens.
    """
    frames = [
        f'<iframe data-page="{name}" data-width="{width}" style="width:{width}px;height:800px;border:0" srcdoc="{html.escape(text)}"></iframe>'
        for name, text in pages.items()
        for width in widths
    ]
    script = (
        "onload = () => { const out = []; for (const frame of document.querySelectorAll('iframe')) { const w = frame.contentWindow;"
        f" out.push([frame.dataset.page, +frame.dataset.width, {expression}]); }} document.body.textContent = '<<' + JSON.stringify(out) + '>>'; }}"
    )
    file = folder / "frames.html"
    file.write_text(f'<!DOCTYPE html><meta charset="utf-8"><body>{"".join(frames)}<script>{script}</script>', "utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run", f"--user-data-dir={folder / 'profile'}"]
    done = subprocess.run([str(PROGRAM), *options, "--dump-dom", file.as_uri()], capture_output=True, text=True, timeout=120)
    answer = re.search(r"&lt;&lt;(.*)&gt;&gt;", done.stdout, re.DOTALL)
    assert answer, f"the browser gave no answer: {done.stderr[-2000:]}"
    return {(name, width): value for name, width, value in json.loads(html.unescape(answer[1]))}
