"""Invented people: names of many origins, and ways to reach them that lead nowhere."""

import unicodedata
from random import Random

# Given names and family names that go together.
ORIGINS = [
    (
        "Oliver Amelia George Charlotte Harriet Callum Imogen Declan",
        "Ashworth Pemberton Whitlock Fairfax O'Brien Mac·Donald",
    ),
    ("Anna Lukas Katharina Jürgen Sabine Björn Ute Matthias", "Müller Mueller Schäfer Großmann Weiß von·der·Heide"),
    ("José María Inés Álvaro Begoña Joaquín Lucía Raúl", "Núñez Ibáñez García·Lorenzo Peña Quintanilla Zúñiga"),
    ("Élodie François Zoé Benoît Chloé Rémi Hélène Loïc", "Lefèvre D'Angelo Beauchêne Saint-Clair Crépin Noël"),
    ("João Beatriz Conceição Thiago Inês Gonçalo Luísa", "Araújo Gonçalves da·Conceição Magalhães Simões"),
    ("Giulia Niccolò Chiara Matteo Ornella Renzo", "Dell'Acqua Bellandi De·Luca Ferraris Tagliabue"),
    ("Agnieszka Łukasz Małgorzata Paweł Zofia Grzegorz", "Wójcik Dąbek Żuraw Łącz Ćwikła"),
    ("Søren Åsa Ingrid Øyvind Freja Håkon Sólveig", "Østergård Ångström Lindqvist Bjørnstad Hagalín"),
    ("Zeynep Emre Gülşen Ömer İpek Çağla", "Yıldırım Öztürk Şahin Karadağ Güneş"),
    ("Anh Minh Thuý Quang Hương Đức", "Nguyễn Trần Phạm Lê·Hoàng Đặng"),
    ("Xiaoming Meilin Jun Yuxuan Lihua Wei-Ting", "Wang Zhang Ouyang Liu Hsieh"),
    ("Haruka Kenji Yūko Shō Naoko Ryōta", "Ōshima Takahashi Itō Kobayashi"),
    ("Ji-woo Seo-yeon Min-jun Hye-jin Dong-hyun", "Kim Park Choi Namgung"),
    ("Priya Arjun Lakshmi Rohan Ananya Venkataraman", "Iyer Chattopadhyay Deshpande Subramaniam Kaur·Gill"),
    ("Fatima Yusuf Layla Abd·al-Rahman Noor Khalid", "al-Sayegh Haddad El-Masri ben·Youssef Karimi"),
    ("Adaeze Chukwuemeka Folasade Kwame Thandiwe Sipho", "Okonkwo Adébáyọ̀ Mensah Nkosi-Dlamini Okafor"),
    ("Olena Dmytro Svetlana Mikhail Iryna", "Kovalenko Shevchuk Bondarenko Petrenko"),
    ("Eleni Nikolaos Despina Kyriakos", "Papazoglou Hatzoglou Kazantzoglou"),
    ("Noa Eitan Shira Yael", "Ben-David Mizrahi Katzenelson"),
    ("Siobhán Pádraig Aoife Tadhg Niamh", "Breathnach de·Búrca O'Shaughnessy"),
    ("Keʻala Aroha Mele Tāne", "Kahananui Te·Whare Tuʻipulotu"),
]

# Names that find out what a search, a list or a letter does with them. The first pairs are likely duplicates.
REMARKABLE = [
    ("Anna", "Müller"),
    ("Anna", "Mueller"),
    ("Sean", "O'Brien"),
    ("Seán", "O’Brien"),
    ("José", "García Núñez"),
    ("Jose", "Garcia"),
    ("Nguyễn", "Thị Minh Khai"),
    ("王", "小明"),
    ("Wang", "Xiaoming"),
    ("Ольга", "Кравченко"),
    ("Σοφία", "Παπαδάκη"),
    ("מיכל", "לוי"),
    ("ليلى", "حداد"),
    ("Suharto", ""),
    ("Mononymous", ""),
    ("Thenmozhi", ""),
    ("Wolfeschlegelsteinhausen Maximilian Alexander Ferdinand", "von und zu Hohenberg-Liechtenwaldau"),
    ("Ximena Guadalupe de los Ángeles", "Fernández-Villaverde y Castellanos de la Torre"),
    ("Bo", "Li"),
    ("Null", "Nilsson"),
    ("Anne-Marie", "Smith-Jones"),
    ("D'Artagnan", "L'Étoile"),
    ("Zoë", "van 't Hof"),
    ("Małgorzata Żaneta", "Brzęczyszczykiewicz"),
]

LETTERS = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "æ": "ae", "ð": "d", "þ": "th"}
)
DOMAINS = ["example.com", "example.com", "example.org", "example.net"]

# Numbers that are set aside for stories: nobody answers. The last digits are filled in.
PHONES = ["+44207946{:04d}", "+44113496{:04d}", "+44161496{:04d}", "+4930231251{:02d}", "+1212555{:04d}"]


def names(count: int, *, rng: Random) -> list[tuple[str, str]]:
    """`count` different names, the remarkable ones among the first."""
    origins = [
        [(first.replace("·", " "), last.replace("·", " ")) for first in given.split() for last in family.split()]
        for given, family in ORIGINS
    ]
    for pairs in origins:
        rng.shuffle(pairs)
    found = list(REMARKABLE)
    while len(found) < count:
        pairs = rng.choice(origins)
        if pairs and (pair := pairs.pop()) not in found:
            found.append(pair)
    return found


def address(given: str, family: str, *, taken: set[str], rng: Random) -> str:
    """An e-mail address nobody else here has, in a domain set aside for examples."""
    parts = [ascii_word(given.split()[0]), ascii_word(family.split()[-1]) if family else ""]
    local = ".".join(filter(None, parts)) or "patient"
    domain = rng.choice(DOMAINS)
    found, number = f"{local}@{domain}", 2
    while found in taken:
        found, number = f"{local}{number}@{domain}", number + 1
    taken.add(found)
    return found


def phone(*, country: str, number: int) -> str:
    """One of the numbers kept for stories; the same number may belong to two of a family."""
    if country == "DE" and number % 5:
        return PHONES[3].format(number % 100)
    if number % 11 == 0:
        return PHONES[4].format(100 + number % 100)
    return PHONES[number % 3].format(number % 1000)


def ascii_word(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.translate(LETTERS)).encode("ascii", "ignore").decode()
    return "".join(letter for letter in plain.lower() if letter.isalnum() or letter == "-").strip("-")
