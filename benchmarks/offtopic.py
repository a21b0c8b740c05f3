"""Queries that have nothing to do with a library, of three kinds."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

__all__ = ["off_topic"]

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

FOREIGN = {"metatool": ("tldr",), "bfcl": ("tldr",)}
"""Whose queries a set cannot answer, where that is not all others: both of these have tools for
everyday requests."""


def off_topic(name: str, queries: Mapping[str, Sequence[str]], seed: int) -> dict[str, list[str]]:
    """Return 200 queries by kind.

    Args:
        name: The data set that is to be searched.
        queries: The queries of each data set.
        seed: Chooses others with the same right.
    """
    chosen = random.Random(f"{name} {seed}")  # noqa: S311 - no secrets here
    others = FOREIGN.get(name, tuple(each for each in queries if each != name))
    foreign = [query for each in others if each in queries for query in queries[each]]
    return {
        "requests": REQUESTS,
        "random words": [" ".join(chosen.sample(WORDS, chosen.randint(2, 7))) for _ in range(60)],
        "of other sets": chosen.sample(foreign, min(60, len(foreign))),
    }
