"""Names of people and places. They are drawn at random, so they mean nobody."""

import string
import unicodedata
from random import Random
from typing import Final

GIVEN: Final = (
    "Ada", "Adam", "Aisha", "Alan", "Amelia", "Andrew", "Anne-Marie", "Ayşe", "Barbara", "Ben", "Beth",
    "Brian", "Callum", "Carol", "Charlotte", "Chloë", "Chris", "Claire", "Daniel", "David", "Dawn",
    "Deborah", "Denise", "Diana", "Dorothy", "Edward", "Ella", "Emily", "Eve", "Ewan", "Fatima", "Fiona",
    "Françoise", "George", "Gillian", "Grace", "Hannah", "Harriet", "Helen", "Henry", "Imogen", "Ivy",
    "Jack", "James", "Jane", "Jean-Paul", "Joan", "John", "José", "Joyce", "Karen", "Kevin", "Laura",
    "Lily", "Łukasz", "Margaret", "Maria", "Mark", "Martin", "Mary Ann", "Mohammed", "Monika", "Nigel",
    "Noel", "Noël", "Olivia", "Oscar", "Patricia", "Paul", "Peter", "Priya", "Renée", "Rhys", "Richard",
    "Robert", "Rosie", "Ruth", "Sally", "Samuel", "Sarah", "Siân", "Simon", "Sophie", "Stephen", "Susan",
    "Thea", "Thomas", "Tomasz", "Trevor", "Veronica", "Victoria", "Walter", "Wendy", "William", "Xin",
    "Yusuf", "Zara", "Zoë",
)  # fmt: skip

SURNAMES: Final = (
    "Ahmed", "Aldous", "Allcock", "Bailey", "Bannister", "Barnes", "Barrett", "Bell", "Bishop", "Bloom",
    "Brown", "Bryant", "Bunn", "Burrell", "Carter", "Catchpole", "Chapman", "Clarke", "Cook", "Cooper",
    "Cubitt", "D'Arcy", "Davies", "De la Cruz", "Dyer", "Earl", "Edwards", "Fitzgerald", "Fox", "Gaskin",
    "Gooch", "Gray", "Green", "Grimes", "Hall", "Harper", "Harris", "Hewitt", "Hill", "Howes", "Hughes",
    "Jackson", "James", "Jones", "Kerrison", "Khan", "King", "Kowalska", "Larter", "Lee", "Lewis",
    "Lincoln", "MacDonald", "Mann", "Marsh", "Martin", "Mason", "Moore", "Müller", "Murphy", "Neave",
    "Nowak", "Núñez", "O'Connor", "O'Neil", "Page", "Palmer", "Parker", "Patel", "Peck", "Potter",
    "Price", "Reeve", "Roberts", "Rudd", "Saint-Clair", "Sayer", "Scott", "Shah", "Smith", "Smith-Jones",
    "Spink", "Stannard", "Taylor", "Thirtle", "Thompson", "Tóth", "Tuttle", "Van der Berg", "Walker",
    "Ward", "Watts", "Webb", "White", "Wilson", "Wood", "Wright", "Yaxley", "Young", "Žák",
)  # fmt: skip

DOMAINS: Final = (
    "example.org", "example.com", "example.net", "mail.example.org", "post.example.com", "inbox.example.net",
    "broadband.example.org",
)  # fmt: skip

NOTES: Final = (
    "", "", "", "", "", "", "Prefers letters", "Moved house, see file", 'Asked for "large print"',
    "Rang, then e-mailed", "First line\nsecond line", 'Says: "bins, again"\nTuesday, not Thursday',
    "Garden waste; direct debit",
)  # fmt: skip

_TYPOGRAPHIC_APOSTROPHE: Final = "\N{RIGHT SINGLE QUOTATION MARK}"
_NEVER_IN_POSTCODES: Final = "CIKMOV"
"""Letters that no inward code has, so that no postcode here is anybody's."""


def ascii_letters(name: str) -> str:
    """The letters of a name as a mail address would spell them."""
    decomposed = unicodedata.normalize("NFKD", name.replace("Ł", "L").replace("ş", "s"))
    return "".join(letter for letter in decomposed.lower() if letter in string.ascii_lowercase)


def respell_name(name: str, rng: Random) -> str:
    """Return the same name as another office writes it: without accents, in capitals, without punctuation."""
    match rng.randrange(6):
        case 0:
            return "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
        case 1:
            return name.upper()
        case 2:
            return name.replace("'", _TYPOGRAPHIC_APOSTROPHE)
        case 3:
            return name.replace("-", " ").replace("'", "")
        case _:
            return name


def make_postcode(rng: Random) -> str:
    """A postcode of Norfolk's shape that cannot exist."""
    inward = "".join(rng.choice(_NEVER_IN_POSTCODES) for _ in range(2))
    return f"NR{rng.randint(1, 35)} {rng.randint(1, 9)}{inward}"


def make_phone(rng: Random) -> str:
    """A mobile number from the range that Ofcom keeps for drama."""
    return f"07700 900{rng.randrange(1000):03d}"
