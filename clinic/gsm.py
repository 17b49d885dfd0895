"""How many parts a text message has, which is what it costs. Pure.

A message in the GSM alphabet has room for 160 characters, one with any other character for 70; longer ones are sent in
parts, each a little shorter.
"""

import unicodedata

ALPHABET = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
# These take two places each.
EXTENDED = frozenset("^{}\\[~]|€\f")
ONE, EACH = 160, 153
ONE_WIDE, EACH_WIDE = 70, 67
# What looks the same in the alphabet, where taking the accents off does not help.
PLAIN = str.maketrans(
    {
        "“": '"',
        "”": '"',
        "„": '"',
        "‘": "'",
        "’": "'",
        "–": "-",
        "—": "-",
        "…": "...",
        "\u00a0": " ",
        "ł": "l",
        "Ł": "L",
    }
)


def is_gsm(text: str) -> bool:
    return all(character in ALPHABET or character in EXTENDED for character in text)


def parts(text: str) -> int:
    """How many parts a text is sent in."""
    if is_gsm(text):
        length = sum(2 if character in EXTENDED else 1 for character in text)
        return 1 if length <= ONE else -(-length // EACH)
    length = len(text.encode("utf-16-be")) // 2
    return 1 if length <= ONE_WIDE else -(-length // EACH_WIDE)


def plain(text: str) -> str:
    """The text in the GSM alphabet where only quotes, dashes and accents stand in the way; else as it is."""
    kept = "".join(_plain(character) for character in text)
    return kept if is_gsm(kept) else text


def _plain(character: str) -> str:
    if character in ALPHABET or character in EXTENDED:
        return character
    bare = unicodedata.normalize("NFKD", character.translate(PLAIN))
    return "".join(part for part in bare if not unicodedata.combining(part))
