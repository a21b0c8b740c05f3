"""Actions: artifacts and skills, which all sessions and executors of the soak share.

Place in the house: above ``turn``; put themselves into ``deck``.
"""

from __future__ import annotations

from tests.soak.deck import action
from tests.soak.turn import Hand

__all__: list[str] = []

CONTESTED = ("shared/one.json", "shared/two.json", "shared/three.json")


@action(copies=2)
async def own_artifact(hand: Hand) -> None:
    """An artifact nobody else has: saved, found, loaded, deleted."""
    async with hand.turn() as turn:
        token = hand.world.token()
        value = await turn.value(f"""
            name, body = "own/{token}", {{"token": "{token}", "body": ("{token}", 2.5)}}
            artifacts.save(name, body, description="{token}")
            loaded, listed = artifacts.load(name), [info.name for info in artifacts.list(name)]
            loaded == body, loaded["token"], listed, artifacts.delete(name), artifacts.exists(name)
        """)
        turn.same("artifact", (True, token, [f"own/{token}"], True, False), value)


@action(copies=2)
async def contested_artifact(hand: Hand) -> None:
    """Artifacts that all write at once: what is loaded is whole, and one writer's."""
    async with hand.turn() as turn:
        token, name = hand.world.token(), hand.rng.choice(CONTESTED)
        value = await turn.value(f"""
            artifacts.save("{name}", {{"name": "{name}", "token": "{token}", "body": "{token}" * 2_000}})
            artifacts.load("{name}")
        """)
        turn.same("name in it", name, value["name"])
        if value["body"] != value["token"] * 2_000:
            raise turn.fail("mixed up", f"{name} holds parts of several writers")


@action()
async def large_artifact(hand: Hand) -> None:
    """An artifact that travels in pieces."""
    async with hand.turn() as turn:
        token = hand.world.token()
        value = await turn.value(f"""
            with artifacts.open("large/{token}", "wb") as file:
                for _ in range(40):
                    file.write(b"{token}" * 10_000)
            with artifacts.open("large/{token}") as file:
                pieces = [file.read({len(token) * 10_000}) for _ in range(40)]
            artifacts.delete("large/{token}")
            all(piece == b"{token}" * 10_000 for piece in pieces)
        """)
        turn.same("all pieces", True, value)


@action(copies=2)
async def skill(hand: Hand) -> None:
    """A skill: created, run in the kernel with a tool, changed, deleted."""
    async with hand.turn() as turn:
        token = hand.world.token()
        first = f"def run(n): return tools.echo(token='{token}') + str(n)"
        second = f"async def run(n): return '{token}' * n"
        value = await turn.value(f"""
            skills.create("s_{token}", {first!r}, "Gives {token}")
            first = skills.invoke("s_{token}", n=1)
            skills.update("s_{token}", {second!r})
            second = await skills.s_{token}(n=2)
            listed = "s_{token}" in [skill["name"] for skill in skills.list()]
            first, second, listed, skills.delete("s_{token}"), skills.get("s_{token}")
        """)
        hand.world.hear(token)
        turn.same("skill", (f"{token}1", token * 2, True, True, None), value)
