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
fil find provid specifi specific
""",
    4: """
bas calculat creat current data detail function generat get given hav imag includ information lik
list look nam new number pleas retriev search som tim user
""",
    5: """
access add application area availabl between chang check cod command compani configuration content
convert currentli dat directori displai event fetch format gam git giv id interest latest locat
location mak manag mor object one open option output packag plai plan platform pric process product
project rat repositori request result return run server servic set show specificalli start system
test text ther tool two typ updat use valu various web websit wher within work year
""",
    6: """
account address after ai allow amount analysis analyz angel another api app assistanc associat
averag best book build ca call car card cas certain chat class client cloud color com commit compar
compil comprehensiv connect coordinat criteria custom customer databas day default delet dependenci
design determin development devic different distanc document dur each email ensur environment
execut exist experienc extract featur field filter first forecast fre go good googl guidanc handl
high histori historical host hour hous http idea identifi identifier improv index input install
item java job json key keyword languag last learn level lin link local log los machin manager map
march market match messag mod model month multipl music network next nod offer onli onlin operation
order pag parameter part particular path pdf per perform performanc period plac player point
popular post potential power practic preferenc print program properti purchas python qr qualiti
queri question rang rank read recent recommendation record relat relevant remot remov report requir
research resourc respons restaurant review right sal sam san sav scan scor script second see send
shar singl siz skill sourc spac sql stat status stor string suggestion suitabl support tak target
task team temperatur term th thei thes ticket todai top total track travel trend trip uniqu unit
url version video view watch way week well without word world writ
""",
}
"""Tenths of what a rare word says -> the stems that say so much."""

_TELLING = {stem: tenths / 10 for tenths, stems in _TENTHS.items() for stem in stems.split()}


def telling(stem: str) -> float:
    """Return how much it says that a stem is in a query and in a document; 1 at most."""
    return _TELLING.get(stem, 1.0)
