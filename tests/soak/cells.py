"""Actions: cells and what they call, with a token in all that comes back.

Place in the house: above ``turn``; put themselves into ``deck``.
"""

from __future__ import annotations

import asyncio
import re

from py_code_mode import ExecutionResult
from tests.soak.deck import action
from tests.soak.turn import Hand, LeftError, Turn

__all__: list[str] = []

MOST_VARIABLES = 20

TOKEN = re.compile(r"t\d+x[0-9a-f]{8}")


def holds_only(turn: Turn, result: ExecutionResult, token: str) -> None:
    """Hold a cell's value, its stdout and the record of its calls against its token."""
    turn.is_ok(result)
    turn.same("value", token, result.value)
    turn.same("stdout", f"{token}\n", result.stdout)
    called = [call.arguments.get("token") for call in result.tool_calls]
    turn.same("record of tool calls", [token], called)
    turn.same("calls the host heard", 1, turn.world.hear(token))


@action(copies=4)
async def cell(hand: Hand) -> None:
    """A value, a print, a tool call and a variable."""
    async with hand.turn() as turn:
        token = hand.world.token()
        name = f"v{hand.rng.randrange(MOST_VARIABLES)}"
        code = f"{name} = {token!r}\nprint({name})\ntools.echo(token={name})"
        turn.seat.known.pop(name, None)
        result = await turn.run(code)
        turn.seat.known[name] = token
        holds_only(turn, result, token)
        await turn.verify()


@action(copies=2)
async def failing_cell(hand: Hand) -> None:
    """Code that raises: the error and the text are its own, and nothing else is lost."""
    async with hand.turn() as turn:
        token = hand.world.token()
        result = await turn.run(f"print({token!r})\nraise ValueError({token!r})")
        turn.ended_with(result, "ValueError")
        assert result.error is not None
        turn.same("message", token, result.error.message)
        turn.same("stdout", f"{token}\n", result.stdout)
        await turn.verify()


@action(copies=2)
async def queued_cells(hand: Hand) -> None:
    """Several runs of one session at once: they come in order, each with its own result."""
    async with hand.turn() as turn:
        tokens = [hand.world.token() for _ in range(4)]
        codes = [f"print({token!r})\ntools.echo(token={token!r})" for token in tokens]
        runs = [turn.guard(turn.seat.session.run(code)) for code in codes]
        results = await asyncio.gather(*runs, return_exceptions=True)
        lost = 0
        for token, result in zip(tokens, results, strict=True):
            if isinstance(result, LeftError):
                continue
            if isinstance(result, BaseException):
                raise result
            if result.state_lost:
                lost += 1
                turn.seat.known.clear()
            elif not turn.seat.is_leaving or result.is_ok:
                holds_only(turn, result, token)
        if lost > turn.losses and not turn.seat.is_leaving:
            raise turn.fail("lost", f"{lost} times, but {turn.losses} kernels were killed")
        if lost:
            raise LeftError("lost")


@action()
async def flood(hand: Hand) -> None:
    """Much text: what is kept is this cell's alone, and the whole of it is in an artifact."""
    async with hand.turn() as turn:
        token = hand.world.token()
        result = await turn.run(f"for n in range(60_000): print({token!r}, 'x' * 30)")
        turn.is_ok(result)
        turn.same("tokens in the text", {token}, {*TOKEN.findall(result.stdout)})
        names = [cut.artifact for cut in result.truncated if cut.artifact]
        if len(names) != 1:
            raise turn.fail("failed", f"the whole text is in one artifact, not in {names}")
        text = hand.world.artifacts.load(names[0])
        turn.same("lines of the artifact", 60_000, text.count(token))
        hand.world.artifacts.delete(names[0])


@action()
async def big_value(hand: Hand) -> None:
    """A value of megabytes comes back exactly."""
    async with hand.turn() as turn:
        token = hand.world.token()
        times = hand.rng.randrange(50_000, 400_000)
        value = await turn.value(f"{{{token!r}: {token!r}.encode() * {times}}}")
        turn.same("big value", [token], list(value))
        if value[token] != token.encode() * times:
            raise turn.fail("mixed up", "the bytes of a big value are others")


@action()
async def rich_output(hand: Hand) -> None:
    """Displays, an update of one and a figure, in their order."""
    async with hand.turn() as turn:
        token = hand.world.token()
        code = f"""
            from IPython.display import HTML, Markdown, display
            display(HTML("<b>{token}</b>"))
            handle = display(Markdown("to be replaced"), display_id=True)
            handle.update(Markdown("{token}"))
            print("{token}")
            HTML("<i>{token}</i>")
        """
        result = await turn.run(code)
        turn.is_ok(result)
        shown = [output.data.get("text/html") for output in result.outputs]
        shown += [output.data.get("text/markdown") for output in result.outputs]
        wanted = [f"<b>{token}</b>", f"<i>{token}</i>", token]
        turn.same("what was shown", wanted, [each for each in shown if each])
        turn.same("stdout", f"{token}\n", result.stdout)


@action(copies=2)
async def overlapping_calls(hand: Hand) -> None:
    """Calls whose answers overtake each other: each caller gets its own."""
    async with hand.turn() as turn:
        tokens = [hand.world.token() for _ in range(24)]
        waits = [hand.rng.uniform(0, 0.2) for _ in tokens]
        code = f"""
            import asyncio
            calls = [tools.slow.acall(token=t, seconds=s) for t, s in zip({tokens}, {waits})]
            await asyncio.gather(*calls)
        """
        turn.same("answers", tokens, await turn.value(code))


@action()
async def calls_from_threads(hand: Hand) -> None:
    """Threads of one cell call tools at once."""
    async with hand.turn() as turn:
        tokens = [hand.world.token() for _ in range(16)]
        code = f"""
            from concurrent.futures import ThreadPoolExecutor
            with ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(lambda t: tools.echo(token=t), {tokens}))
            answers
        """
        result = await turn.run(code)
        heard = [hand.world.hear(token) for token in tokens]
        turn.is_ok(result)
        turn.same("answers", tokens, result.value)
        turn.same("calls the host heard", [1] * len(tokens), heard)
        called = sorted(str(call.arguments.get("token")) for call in result.tool_calls)
        turn.same("record of tool calls", sorted(tokens), called)


@action(copies=2)
async def command_calls(hand: Hand) -> None:
    """Real programs, several at once, each with its own input."""
    async with hand.turn() as turn:
        token = hand.world.token()
        much = token * hand.rng.randrange(1, 3_000)
        code = f"""
            import asyncio
            much = {token!r} * {len(much) // len(token)}
            first, second, third = await asyncio.gather(
                tools.say.acall(text={token!r}), tools.cat.acall(text=much), tools.wc.acall(text=much)
            )
            first.strip(), second == much, int(third)
        """
        turn.same("answers of programs", (token, True, len(much)), await turn.value(code))


@action(copies=2)
async def mcp_calls(hand: Hand) -> None:
    """Calls of a server of MCP, several at once."""
    async with hand.turn() as turn:
        tokens = [hand.world.token() for _ in range(6)]
        code = f"""
            import asyncio
            await asyncio.gather(*[tools.odd.arguments.acall(token=t) for t in {tokens}])
        """
        turn.same("answers", [{"token": each} for each in tokens], await turn.value(code))


@action()
async def variables(hand: Hand) -> None:
    """Single values in and out, beside cells."""
    async with hand.turn() as turn:
        token, session = hand.world.token(), turn.seat.session
        turn.seat.known.pop("given", None)
        await turn.guard(session.set_variable("given", token))
        turn.seat.known["given"] = token
        turn.same("get_variable", token, await turn.guard(session.get_variable("given")))
        listed = {each.name for each in await turn.guard(session.variables())}
        missing = turn.seat.known.keys() - listed
        turn.same("variables that are not listed", set(), missing)
