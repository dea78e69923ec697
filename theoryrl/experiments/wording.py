"""Numbers and formulas as people read them: 0.0123, 12,345, 1.2×10⁶; LaTeX as HTML that needs no typesetter."""

from __future__ import annotations

import re
import unicodedata
from html import escape

SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float | None, digits: int = 4) -> str:
    """Return a number as people write it: 0.0123, 12,345, 1.2×10⁶."""
    if value is None:
        return "–"
    if value < 0:
        return "−" + number(-value, digits)
    if value == 0 or 1e-3 <= value < 999_999.5:
        return f"{value:,.0f}" if value >= 1000 else f"{value:.{digits}g}"
    mantissa, exponent = f"{value:.2e}".split("e")
    return ("" if float(mantissa) == 1 else f"{float(mantissa):g}×") + _ten(int(exponent))


def power(exponent: int) -> str:
    """Return a power of ten as an axis names it: 0.1, 100, 10⁴."""
    return f"{10.0**exponent:g}" if -3 < exponent < 4 else _ten(exponent)


def _ten(exponent: int) -> str:
    return "10" + str(exponent).translate(SUPERSCRIPTS)


def natural(text: str) -> list[tuple[int, str]]:
    """Return a sort key under which M2 comes before M10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", text)]


SYMBOLS = {
    **dict(le="≤", leq="≤", ge="≥", geq="≥", ne="≠", neq="≠", ll="≪", gg="≫", approx="≈", sim="∼", equiv="≡", pm="±", cdot="·", times="×", ast="∗", star="⋆"),
    **dict(sum="∑", prod="∏", int="∫", infty="∞", partial="∂", nabla="∇", ell="ℓ", prime="′", dots="…", ldots="…", cdots="⋯", mid="|", top="⊤", perp="⊥"),
    **dict(forall="∀", exists="∃", neg="¬", wedge="∧", vee="∨", cup="∪", cap="∩", setminus="∖", subset="⊂", subseteq="⊆", emptyset="∅", notin="∉"),
    **{"in": "∈", "to": "→", "mapsto": "↦", "Rightarrow": "⇒", "langle": "⟨", "rangle": "⟩", "lceil": "⌈", "rceil": "⌉", "lfloor": "⌊", "rfloor": "⌋"},
    **dict(lvert="|", rvert="|", vert="|", lVert="‖", rVert="‖", Vert="‖", varepsilon="ε", lambda_="λ", Lambda="Λ", varphi="φ", vartheta="ϑ"),
    **dict.fromkeys(("left", "right", "big", "Big", "bigl", "bigr", "Bigl", "Bigr", "displaystyle", "textstyle", "limits", "!"), ""),
    **{"quad": "\u2003", "qquad": "\u2003\u2003", ",": "\u2009", ";": "\u2005", ":": "\u2005", "|": "‖", "\\": "; "},
}
ACCENTS = {"hat": "\u0302", "widehat": "\u0302", "bar": "\u0304", "overline": "\u0304", "tilde": "\u0303", "widetilde": "\u0303"}
UPRIGHT = ("text", "textrm", "mathrm", "operatorname", "mathbf", "mathbb", "mathcal", "mathsf", "textit", "emph")


def readable(text: str) -> str:
    """Return text with LaTeX as HTML that reads without a typesetter: between dollars, or all of it if it has commands but no dollars."""
    parts = text.split("$") if "$" in text else ["", text] if "\\" in text else [text]
    return "".join(f'<span class="math">{_math(part)}</span>' if i % 2 else _words(part) for i, part in enumerate(parts))


def _words(text: str) -> str:
    return escape(text.replace("<=", "≤").replace(">=", "≥"))


def _math(text: str) -> str:
    tokens = iter(re.findall(r"\\[a-zA-Z]+|\\.|\s+|.", text, re.DOTALL))

    def sequence(upright: bool = False) -> str:
        """Everything up to the closing brace or the end."""
        out = []
        for token in tokens:
            if token == "}":
                break
            out.append(one(token, upright))
        return "".join(out)

    def argument(upright: bool = False) -> str:
        token = next((token for token in tokens if not token.isspace()), "")
        return sequence(upright) if token == "{" else one(token, upright)

    def one(token: str, upright: bool) -> str:
        if token == "{":
            return sequence(upright)
        if token in ("^", "_"):
            tag = "sup" if token == "^" else "sub"
            return f"<{tag}>{argument(upright)}</{tag}>"
        if not token.startswith("\\") or len(token) == 1:
            token = "−" if token == "-" and not upright else token
            return f"<i>{token}</i>" if token.isascii() and token.isalpha() and not upright else escape(token)
        command = token[1:]
        if command in ("frac", "tfrac", "dfrac"):
            return f'<span class="fraction"><span>{argument()}</span><span>{argument()}</span></span>'
        if command == "sqrt":
            return f'√<span class="root">{argument()}</span>'
        if command in UPRIGHT:
            return argument(upright=True)
        if command in ACCENTS:
            return argument() + ACCENTS[command]
        return SYMBOLS.get(command) or SYMBOLS.get(command + "_") or ("" if command in SYMBOLS else _greek(command))

    return sequence()


def _greek(name: str) -> str:
    """The Greek letter of that name, else the name as an upright operator such as log."""
    try:
        return unicodedata.lookup(f"GREEK {'CAPITAL' if name[0].isupper() else 'SMALL'} LETTER {name.upper()}")
    except KeyError:
        return escape(name) + (" " if name.isalpha() else "")
