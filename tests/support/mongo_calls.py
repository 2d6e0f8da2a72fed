# ruff: noqa: E501
"""What functions ask of MongoDB by pymongo: each case ends in an exception whose text is all that it got."""

from __future__ import annotations

import textwrap

__all__ = ["CALLS", "fill", "source"]

CALLS = {
    "documents": """
        found = shop.items.find_one({"_id": 1})
        got.append(found); got.append(type(found["made"]).__name__); got.append(shop.items.find_one({"_id": 99}))
        made = shop.orders.insert_one({"item": 1, "amount": 2.5})
        got.append(made.inserted_id); got.append(shop.orders.find_one({"_id": made.inserted_id}))
        got.append([str(bson.ObjectId()) for _ in range(3)])
        many = shop.orders.insert_many([{"item": number} for number in range(5)])
        got.append(many.inserted_ids)
        got.append(shop.orders.update_one({"item": 3}, {"$set": {"late": True}, "$inc": {"item": 10}}).raw_result)
        got.append(shop.orders.update_one({"_id": "new"}, {"$set": {"a": 1}}, upsert=True).upserted_id)
        got.append(shop.orders.delete_many({"item": {"$lt": 2}}).deleted_count)
        got.append(shop.items.count_documents({})); got.append(sorted(shop.items.distinct("name", {"_id": {"$lt": 4}})))
        got.append(shop.items.find_one_and_update({"_id": 5}, {"$inc": {"price": 3}}, return_document=True))
        got.append(client.admin.command("ping"))
    """,
    "batches": """
        cursor = shop.items.find({}, {"name": 1}, batch_size=20, sort=[("_id", 1)])
        first = next(cursor); got.append((first, cursor.cursor_id, cursor.alive))
        got.append(len(list(cursor))); got.append(cursor.alive)
        got.append([one["_id"] for one in shop.items.aggregate([{"$match": {"_id": {"$gt": 10}}}], batchSize=30)])
        with shop.items.find(batch_size=10) as cursor:
            got.append([next(cursor)["_id"] for _ in range(12)])
        left = shop.items.find(batch_size=10); next(left); del left
    """,
    "bulk": """
        from pymongo import DeleteOne, InsertOne, UpdateOne
        asked = [InsertOne({"_id": "b"}), UpdateOne({"_id": "b"}, {"$set": {"q": 1}}), DeleteOne({"_id": "b"}), InsertOne({"x": 1})]
        got.append(shop.orders.bulk_write(asked).bulk_api_result)
        try:
            shop.items.bulk_write([InsertOne({"_id": "c"}), InsertOne({"_id": 1})])
        except pymongo.errors.BulkWriteError as error:
            got.append((error.code, error.details["nInserted"], error.details["writeErrors"][0]["code"]))
        got.append(shop.orders.with_options(write_concern=pymongo.WriteConcern(0)).insert_one({"_id": "unheard"}).acknowledged)
    """,
    "errors": """
        shop.items.create_index("name", unique=True)
        for ask in (lambda: shop.items.insert_one({"name": "thing 7"}),
                    lambda: list(shop.items.find({"a": {"$nope": 1}})),
                    lambda: pymongo.MongoClient("127.0.0.1", 1, serverSelectionTimeoutMS=300).shop.items.find_one()):
            try:
                ask()
            except pymongo.errors.PyMongoError as error:
                text = str(error).split("id: ")[0]
                got.append((type(error).__qualname__, text, getattr(error, "code", None), error._error_labels, error.timeout))
                got.append(getattr(error, "details", None)); got.append(repr(error.__cause__))
    """,
    "transactions": """
        with client.start_session() as session:
            with session.start_transaction():
                got.append(shop.orders.insert_one({"_id": "t"}, session=session).inserted_id)
                got.append(shop.items.find_one({"_id": 2}, session=session))
            got.append(session.has_ended)
            session.start_transaction()
            shop.orders.insert_one({"_id": "gone"}, session=session)
            session.abort_transaction()
            got.append(session.with_transaction(lambda own: shop.items.update_one({"_id": 1}, {"$set": {"n": 1}}, session=own).modified_count))
        got.append(str(uuid.uuid4()))
    """,
    "chance": """
        import random, secrets
        got.append(random.random()); got.append(secrets.token_hex(4))
        with pymongo.MongoClient(URL) as other:
            got.append(other.shop.items.find_one({"_id": 3}, {"name": 1}))
        got.append(str(uuid.uuid4())); got.append(random.random()); got.append(secrets.token_hex(16))
        got.append(client.address); got.append(sorted(client.server_info())); got.append(shop.list_collection_names())
    """,
    "asyncio": """
        import asyncio
        async def main():
            async with pymongo.AsyncMongoClient(URL) as own:
                items = own.shop.items
                got.append(await items.find_one({"_id": 1}))
                got.append([one["_id"] async for one in items.find({"_id": {"$lte": 25}}, batch_size=10, sort=[("_id", 1)])])
                got.append(await asyncio.gather(*(items.count_documents({"_id": number}) for number in (1, 2, 999))))
                made = await own.shop.orders.insert_one({"a": 1}); got.append(made.inserted_id)
                got.append(await (await items.aggregate([{"$match": {"_id": 4}}])).to_list())
                try:
                    await items.insert_one({"_id": 1}); await items.bulk_write([pymongo.InsertOne({"_id": 2})])
                except pymongo.errors.PyMongoError as error:
                    got.append(repr(error)[:300])
                async with own.start_session() as session, await session.start_transaction():
                    await items.update_one({"_id": 2}, {"$set": {"b": 1}}, session=session)
            try:
                await pymongo.AsyncMongoClient("127.0.0.1", 1, serverSelectionTimeoutMS=300).shop.items.find_one()
            except pymongo.errors.ServerSelectionTimeoutError as error:
                got.append(str(error).split("id: ")[0])
        asyncio.run(main())
    """,
}
_HEAD = """
import uuid, bson, pymongo
URL = "{url}"
def handler(event, context):
    got = []
    client = pymongo.MongoClient(URL)
    shop = client.shop
"""


def source(name: str, url: str) -> str:
    """A function that asks, and fails with what it got."""
    body = textwrap.indent(textwrap.dedent(CALLS[name]).strip(), "    ")
    return f"{_HEAD.format(url=url)}{body}\n    raise RuntimeError(repr(got))\n"


def fill(url: str) -> None:
    """The database `shop`, as it is before each case."""
    import datetime

    import pymongo

    with pymongo.MongoClient(url) as client:
        client.shop.items.drop()
        client.shop.orders.drop()
        made = datetime.datetime(2026, 11, 30, 12, 30)
        items = [
            {"_id": n, "name": f"thing {n}", "price": n / 2, "made": made, "parts": [{"n": n}]}
            for n in range(1, 51)
        ]
        client.shop.items.insert_many(items)
