"""How little common words say: what a search must not take for a sign of relevance.

Place in the house: bottom of ``search``.

The stems that are frequent in descriptions of tools, functions and commands of all kinds, and in
requests for them; counted in MetaTool, the Berkeley function-calling leaderboard and tldr-pages. A
small library cannot know that ``display`` says less than ``invoice``: both are rare in it.
"""

from __future__ import annotations

__all__ = ["telling"]

_TENTHS = {
    3: """
file find provid specifi specific
""",
    4: """
base calculat creat current data detail function generat get given imag includ information list
look name new number pleas retriev search time user
""",
    5: """
access application area ask availabl bad big call case chang check child code come command compani
configuration content convert currentli date day different directori displai earli event eye fact
feel fetch few first format game git go good government great group hand high id important interest
key larg last latest leav life littl locat location long make man manag next object old one open
option output packag part person place plai plan platform point price problem process product
project public rate repositori request result return right run same say see seem server servic set
show small specificalli start system take test text thing think tool try two type updat use valu
various way web websit week within woman work world year young
""",
    6: """
account add address after ai allow amount analysis analyz angel another api app assistanc associat
averag best book build ca car card certain chat class client cloud color commit compar compil
comprehensiv connect coordinat criteria custom customer databas default delet dependenci design
determin development devic distanc document doe dure email ensur environment execut exist experienc
extract featur field filter forecast free googl guidanc handl histori historical host hour hous
http idea identifi identifier improv index input install item java job json keyword languag learn
level line link local log los machin manager map march market match messag mode model month multipl
music network node note offer onli onlin operation order page parameter particular path pdf per
perform performanc period player popular post potential power practic preferenc print program
properti purchas python qr qualiti queri question rang rank read recent recommendation record relat
relevant remot remov report requir research resourc respons restaurant review sale san save scan
score script second send share singl size skill sourc space sql state status store string
suggestion suitabl support target task team temperatur term th thei ticket todai top total track
travel trend trip uniqu unit url version video view watch well without word write
""",
}
"""Tenths of what a rare word says -> the stems that say so much."""

_TELLING = {stem: tenths / 10 for tenths, stems in _TENTHS.items() for stem in stems.split()}


def telling(stem: str) -> float:
    """Return how much it says that a stem is in a query and in a document; 1 at most."""
    return _TELLING.get(stem, 1.0)
