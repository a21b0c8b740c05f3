"""A Petstore with the paths of ``data/petstore.yaml``, which it also serves."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, Header, HTTPException, Query, Request
from fastapi.responses import PlainTextResponse, Response

DOCUMENT = Path(__file__).parent / "data" / "petstore.yaml"

Values = dict[str, Any]


def petstore() -> FastAPI:  # noqa: C901, PLR0915 - nineteen short operations
    """Make an empty store."""
    pets: dict[int, Values] = {}
    orders: dict[int, Values] = {}
    users: dict[str, Values] = {}
    app, api = FastAPI(), APIRouter(prefix="/api/v3")

    def one(of: dict[Any, Values], key: Any) -> Values:
        if key not in of:
            raise HTTPException(404, f"{key} not found")
        return of[key]

    @api.get("/openapi.yaml")
    async def document() -> Response:
        return Response(DOCUMENT.read_bytes(), media_type="application/yaml")

    @api.post("/pet")
    @api.put("/pet")
    async def save_pet(pet: Annotated[Values, Body()]) -> Values:
        pets[pet.setdefault("id", len(pets) + 1)] = pet
        return pet

    @api.get("/pet/findByStatus")
    async def by_status(status: str) -> list[Values]:
        return [pet for pet in pets.values() if pet.get("status") == status]

    @api.get("/pet/findByTags")
    async def by_tags(tags: Annotated[list[str], Query()]) -> list[Values]:
        return [p for p in pets.values() if {t["name"] for t in p.get("tags", [])} & {*tags}]

    @api.get("/pet/{pet_id}")
    async def get_pet(pet_id: int) -> Values:
        return one(pets, pet_id)

    @api.post("/pet/{pet_id}")
    async def with_form(pet_id: int, name: str | None = None, status: str | None = None) -> Values:
        given = {"name": name, "status": status}
        one(pets, pet_id).update({key: each for key, each in given.items() if each is not None})
        return pets[pet_id]

    @api.delete("/pet/{pet_id}")
    async def delete_pet(
        pet_id: int, api_key: Annotated[str, Header(convert_underscores=False)]
    ) -> Response:
        one(pets, pet_id)
        del pets[pet_id]
        return PlainTextResponse(f"deleted with {api_key}")

    @api.post("/pet/{pet_id}/uploadImage")
    async def upload(pet_id: int, request: Request, additionalMetadata: str = "") -> Values:
        size, kind = len(await request.body()), request.headers["content-type"]
        return {"code": 200, "type": kind, "message": f"{size} bytes, {additionalMetadata}"}

    @api.get("/store/inventory")
    async def inventory() -> dict[str, int]:
        states = [pet.get("status", "unknown") for pet in pets.values()]
        return {state: states.count(state) for state in states}

    @api.post("/store/order")
    async def place(order: Annotated[Values, Body()]) -> Values:
        orders[order["id"]] = order
        return order

    @api.get("/store/order/{order_id}")
    async def get_order(order_id: int) -> Values:
        return one(orders, order_id)

    @api.delete("/store/order/{order_id}")
    async def delete_order(order_id: int) -> None:
        one(orders, order_id)
        del orders[order_id]

    @api.post("/user")
    async def create_user(user: Annotated[Values, Body()]) -> Values:
        users[user["username"]] = user
        return user

    @api.post("/user/createWithList")
    async def create_users(many: Annotated[list[Values], Body()]) -> Values:
        users.update({user["username"]: user for user in many})
        return many[-1]

    @api.get("/user/login")
    async def login(username: str = "", password: str = "") -> str:
        return f"logged in {username} {len(password)}"

    @api.get("/user/logout")
    async def logout() -> Response:
        return Response()

    @api.get("/user/{username}")
    async def get_user(username: str) -> Values:
        return one(users, username)

    @api.put("/user/{username}")
    async def update_user(username: str, user: Annotated[Values, Body()]) -> Response:
        one(users, username).update(user)
        return Response()

    @api.delete("/user/{username}")
    async def delete_user(username: str) -> Response:
        one(users, username)
        del users[username]
        return Response()

    app.include_router(api)
    return app
