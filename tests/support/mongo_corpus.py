# ruff: noqa: E501
"""Functions that fail because of what they read from MongoDB, on one application."""

from __future__ import annotations

from failure_corpus import link_libraries
from free_ports import free_port
from pull_servers import ForeignServer
from relive_cli import Relive, toml

__all__ = ["FUNCTIONS", "WARM", "deploy", "fail"]

SOURCE = """
import asyncio, os
import pymongo
from pymongo import DeleteOne, InsertOne, UpdateOne

URL, NOBODY = os.environ["MONGO"], os.environ["NOBODY"]
KEPT = {}

def items():
    return pymongo.MongoClient(URL).shop.items

def none_found(event, context):
    return items().find_one({"_id": event["id"]})["name"]

def later_batch(event, context):
    items().update_one({"_id": 43}, {"$unset": {"price": 1}})
    return sum(item["price"] for item in items().find(batch_size=10, sort=[("_id", 1)]))

def again(event, context):
    items().insert_one({"_id": 7, "name": "again"})

def bulk(event, context):
    items().bulk_write([UpdateOne({"_id": 1}, {"$inc": {"price": 1}}), InsertOne({"_id": 2}), DeleteOne({"_id": 3})])

def nobody(event, context):
    return pymongo.MongoClient(NOBODY, serverSelectionTimeoutMS=200).shop.items.find_one()

def transfer(event, context):
    with pymongo.MongoClient(URL) as client, client.start_session() as session, session.start_transaction():
        accounts = client.shop.items
        accounts.update_one({"_id": 1}, {"$inc": {"price": -100}}, session=session)
        left = accounts.find_one({"_id": 1}, session=session)["price"]
        if left < 0:
            raise ValueError(f"{left} left")

def grouped(event, context):
    found = {row["_id"]: row["sum"] for row in items().aggregate([{"$group": {"_id": "$made", "sum": {"$sum": "$price"}}}])}
    return found["2026"]

def new_ids(event, context):
    made = pymongo.MongoClient(URL).shop.orders.insert_many([{"n": number} for number in range(3)]).inserted_ids
    raise LookupError(f"no item of {[str(one) for one in made]}")

def kept_client(event, context):
    if not KEPT:
        KEPT["client"] = pymongo.MongoClient(URL)
    return KEPT["client"].shop.items.find_one({"_id": event["id"]})["name"]

def together(event, context):
    async def all():
        async with pymongo.AsyncMongoClient(URL) as client:
            found = await asyncio.gather(*(client.shop.items.find_one({"_id": number}) for number in (1, 2, 99)))
            return [item["price"] for item in found]
    return asyncio.run(all())

def async_batches(event, context):
    async def all():
        async with pymongo.AsyncMongoClient(URL) as client:
            return [item["parts"][item["_id"] // 45]["n"] async for item in client.shop.items.find(batch_size=12)]
    return asyncio.run(all())

def async_again(event, context):
    async def all():
        async with pymongo.AsyncMongoClient(URL) as client:
            await client.shop.items.insert_one({"_id": 8})
    asyncio.run(all())
"""
FUNCTIONS = tuple(
    line[4:].partition("(")[0] for line in SOURCE.splitlines() if line.startswith("def ") and "(event" in line
)
WARM = ("kept_client",)
"""These fail in their second invocation, with a client of the first one."""


def deploy(home: Relive, mongo: ForeignServer, names: tuple[str, ...] = FUNCTIONS) -> None:
    """The application, with the libraries of this interpreter."""
    folder = home.home.parent / "mongo"
    folder.mkdir()
    (folder / "app.py").write_text(SOURCE)
    (folder / "requirements.txt").write_text("pymongo\n")
    places = f'MONGO = "{mongo.url}", NOBODY = "mongodb://127.0.0.1:{free_port()}"'
    lines = {
        name: f'handler = "app:{name}"\ntimeout_s = 60\nmax_workers = 1\nenvironment = {{ {places} }}'
        for name in names
    }
    (folder / "relive.toml").write_text(toml(lines, "mongo"))
    link_libraries(home.home / "deps", folder, ("pymongo",))
    home.run("deploy", str(folder))


def fail(home: Relive, name: str) -> str:
    """Have it fail; the invocation's id."""
    if name in WARM:
        assert home.invoke(name, {"id": 1})["status"] == "ok"
    row = home.invoke(name, {"id": 99})
    assert row["status"] != "ok", row
    return str(row["invocation_id"])
