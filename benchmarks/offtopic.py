"""Queries that have nothing to do with a library, of three kinds."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["half_of", "off_topic"]

REQUESTS = """\
Write a love letter to my girlfriend for our anniversary
It is such a lovely sunny day outside, isn't it
I feel lonely since my cat died last week
Why do cats purr when you stroke them?
How do I remove red wine stains from a carpet?
My knee hurts when I climb the stairs
Do plants feel pain?
Who painted the ceiling of the Sistine chapel
Sing me a lullaby
I dreamed of flying elephants, what does it mean
How do I tie a bow tie
My tomato plants have yellow leaves
What do penguins eat in winter
Should I repaint the bedroom blue or green
The neighbours are noisy at night, what can I do about it
How do I get my toddler to sleep through the night
When is the best time to prune roses
How do I knit a scarf
My grandmother never smiled at weddings
What vaccines does a puppy need?
How do I fix a leaking kitchen faucet
Which wine goes with grilled salmon
My boyfriend forgot our anniversary and I am upset
Explain the causes of the French Revolution
What are the rules of cricket?
How long should I boil eggs for breakfast?
Compose a poem about autumn leaves and rivers
What is the meaning of life according to Buddhism?
Who won the world cup in 1998?
What should I wear to a wedding in October?
Give me a joke about lawyers
Which flowers bloom in early spring?
How do you say thank you in Japanese
What is the plot of Romeo and Juliet?
Suggest names for a newborn baby girl
How old is the universe
Write a wedding toast for my best friend
Tell me a bedtime story about a dragon and a princess
How can I learn to play the violin as an adult?
What is the capital of Mongolia?
How do I whistle with two fingers
My dog barks at the mailman every morning
Why is the sky blue and the sunset red
Can you recommend a shampoo for dry hair
I cannot stop thinking about her smile
How do bees make honey
Is it rude to eat with your elbows on the table
What did Napoleon die of
The soup tastes too salty, can it be saved
How do I get gum out of hair
When did dinosaurs live
My shoes squeak when I walk
What is the difference between a frog and a toad
How to peel a mango without making a mess
Do fish sleep
I am afraid of spiders
How tall was Abraham Lincoln
Which knot holds a hammock
Why does my back ache in the morning
How do I sharpen a kitchen knife
She loves me, she loves me not
What rhymes with orange
How do I stop hiccups
Grandpa snores like a bear
Who wrote Pride and Prejudice
How often should I water a cactus
The baby has a rash on her cheek
How do magnets stick to the fridge
Are tomatoes a fruit or a vegetable
How do I fold a fitted sheet
What makes bread dough rise
My brother stole my bicycle
How many strings does a cello have
How do I iron a silk blouse
Good morning, did you sleep well?
What does a kiwi bird look like
How deep is the ocean at its deepest point
My aunt makes the best marmalade
Why do onions make you cry
Tell me about your childhood""".splitlines()

_WORDS = """
acorn anchor apple barrel bicycle biscuit blanket cabbage candle canyon copper cradle daisy
dolphin drizzle eagle elbow falcon feather fountain garlic glacier goblin hammer harvest honey
igloo island jacket jasmine jungle kettle kitten knight ladder lantern lemon lobster magnet
marble meadow mirror mountain mustard napkin needle nephew ocean olive orchid oyster parrot
pebble pepper pillow purple quartz queen quilt raccoon ribbon river rooster saddle sailor scarf
spoon thunder timber tulip turtle umbrella uncle unicorn velvet village vinegar violet violin
walnut whisper whistle wizard yarn yoghurt zebra
"""
WORDS = _WORDS.split()

_JUDGED = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
"""What was found by reading, not by searching: of requests and of other sets' queries those that a
set has no tool for. By chance many are answered: a third of the tldr queries by a function of bfcl.
``of other sets`` has the ids of queries without an answer; ``answered`` the positions of requests
with one. Whoever read saw what two other engines found nearest, and not what ours finds.
"""

_COUNT, _FOREIGN = 200, 60


def off_topic(
    name: str, queries: Mapping[str, Sequence[Mapping[str, Any]]], half: int
) -> dict[str, list[str]]:
    """Return 200 queries by kind.

    Args:
        name: The data set that is to be searched.
        queries: The queries of each data set.
        half: Whose of them; see ``half_of``.
    """
    wanted = {*_JUDGED["of other sets"].get(name, ())}
    foreign = [
        query["query"]
        for each in queries.values()
        for query in each
        if query["id"] in wanted and half_of(query) == half
    ]
    answered = {*_JUDGED["answered"].get(name, ())}
    requests = [text for at, text in enumerate(REQUESTS) if at not in answered]
    chosen = random.Random(f"{name} {half}")  # noqa: S311 - no secrets here
    rest = _COUNT - len(requests) - len(foreign[:_FOREIGN])
    words = [" ".join(chosen.sample(WORDS, chosen.randint(2, 7))) for _ in range(rest)]
    return {"requests": requests, "random words": words, "of other sets": foreign[:_FOREIGN]}


def half_of(query: Mapping[str, Any]) -> int:
    """Return 0 or 1, by a hash of the query's id."""
    return hashlib.sha256(query["id"].encode()).digest()[0] % 2
