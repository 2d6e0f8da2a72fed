"""Functions that fail because of what they read from outside: files, the environment, chance, Redis, gRPC."""

from __future__ import annotations

import json
import os
from pathlib import Path

__all__ = ["FILES", "GRPC", "LEFT", "PROTO", "REDIS", "make_files"]

_HEAD = """
import csv, configparser, glob, json, mmap, os, pathlib, secrets, shutil, struct, tempfile, time, uuid
DATA = pathlib.Path(os.environ["DATA"])
LIMITS = json.loads((DATA / "limits.json").read_text())
CACHE, SEEN = {}, 0
"""
FILES = (
    _HEAD
    + """
def csv_row(event, context):
    with open(DATA / "rows.csv", newline="") as file:
        return sum(int(row["count"]) for row in csv.DictReader(file))
def json_key(event, context):
    with (DATA / "shop.json").open(encoding="utf-8") as file:
        return json.load(file)["prices"]["DE"]
def ini_value(event, context):
    parser = configparser.ConfigParser()
    parser.read(DATA / "app.ini")
    return parser.getint("shop", "retries") / parser.getint("shop", "workers")
def loaded_limit(event, context):
    raise ValueError(f"over the limit of {LIMITS['most']}")
def input_removed(event, context):
    text = (DATA / "in" / "one.txt").read_text()
    os.remove(DATA / "in" / "one.txt")
    return text.split("|")[3]
def counted_up(event, context):
    count = int((DATA / "counter").read_text()) + 1
    (DATA / "counter").write_text(str(count))
    raise RuntimeError(f"number {int((DATA / 'counter').read_text())}")
def newest(event, context):
    found = max(glob.glob(str(DATA / "logs" / "*.log")), key=os.path.getmtime)
    raise LookupError(os.path.basename(found), sorted(os.listdir(DATA / "logs")))
def not_there(event, context):
    return (DATA / "missing.json").read_text()
def too_large(event, context):
    assert (DATA / "rows.csv").stat().st_size < 10, (DATA / "rows.csv").stat().st_size
def temporary(event, context):
    with tempfile.NamedTemporaryFile("w+", suffix=".csv") as file:
        shutil.copyfile(DATA / "rows.csv", file.name)
        raise ValueError(os.path.basename(file.name), len(open(file.name).read()))
def moved(event, context):
    (DATA / "out").mkdir()
    os.rename(DATA / "in" / "two.txt", DATA / "out" / "two.txt")
    raise RuntimeError([sorted(files) for _, _, files in sorted(os.walk(DATA))])
def mapped(event, context):
    with open(DATA / "points.bin", "rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return 1 / struct.unpack("<i", data[4:8])[0]
def variable(event, context):
    return {"de": 1}[os.environ["COUNTRY"]]
def by_chance(event, context):
    drawn = uuid.uuid4().hex, secrets.token_hex(4), os.getrandom(4).hex(), secrets.SystemRandom().random()
    raise ValueError(*drawn)
"""
)
LEFT = """
def stale(event, context):
    global SEEN
    SEEN += 1
    if event["key"] not in CACHE:
        CACHE[event["key"]] = event.get("price", 0)
    return 10 / CACHE[event["key"]]
"""
REDIS = """
import asyncio, os, redis, redis.asyncio
def redis_none(event, context):
    client = redis.Redis.from_url(os.environ["REDIS"], decode_responses=True)
    client.hset("order:1", mapping={"total": "12", "currency": "EUR"})
    rate = client.get("rate:" + client.hget("order:1", "currency"))
    return float(client.hgetall("order:1")["total"]) * float(rate)
def redis_pipeline(event, context):
    client = redis.Redis.from_url(os.environ["REDIS"])
    with client.pipeline() as pipe:
        for name in ("a", "b", "c"):
            pipe.incrby(name, len(name)).get(name)
        got = pipe.execute()
    raise ValueError(got)
def redis_wrong_type(event, context):
    client = redis.Redis.from_url(os.environ["REDIS"])
    client.lpush("jobs", "one")
    return client.incr("jobs")
def redis_async(event, context):
    async def main():
        async with redis.asyncio.Redis.from_url(os.environ["REDIS"]) as client:
            await client.set("n", 5)
            got = await asyncio.gather(*(client.incrby("n", 0) for _ in range(4)))
            return got[0] / (got[1] - got[2])
    return asyncio.run(main())
def redis_pubsub(event, context):
    client = redis.Redis.from_url(os.environ["REDIS"])
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    pubsub.subscribe("news")
    client.publish("news", "{broken")
    for _ in range(50):
        message = pubsub.get_message(timeout=1)
        if message:
            import json
            return json.loads(message["data"])
"""
PROTO = """
syntax = "proto3";
package shop;
message Ask { string name = 1; int64 count = 2; }
message Told { string text = 1; double price = 2; }
service Shop {
  rpc One (Ask) returns (Told);
  rpc Many (Ask) returns (stream Told);
}
"""
GRPC = """
import asyncio, os, grpc, shop_pb2 as pb, shop_pb2_grpc as rpc
def grpc_price(event, context):
    with grpc.insecure_channel(os.environ["GRPC"]) as channel:
        return 100 / rpc.ShopStub(channel).One(pb.Ask(name="free")).price
def grpc_status(event, context):
    with grpc.insecure_channel(os.environ["GRPC"]) as channel:
        return rpc.ShopStub(channel).One(pb.Ask(name="missing")).text
def grpc_stream(event, context):
    with grpc.insecure_channel(os.environ["GRPC"]) as channel:
        told = list(rpc.ShopStub(channel).Many(pb.Ask(name="x", count=4)))
        raise ValueError([one.text for one in told])
def grpc_async(event, context):
    async def main():
        async with grpc.aio.insecure_channel(os.environ["GRPC"]) as channel:
            shop = rpc.ShopStub(channel)
            prices = [one.price async for one in shop.Many(pb.Ask(name="y", count=3))]
            return (await shop.One(pb.Ask(name="z"))).price / prices[0]
    return asyncio.run(main())
"""


def make_files(folder: Path) -> None:
    """What the functions read."""
    for name in ("in", "logs"):
        (folder / name).mkdir(parents=True)
    texts = {
        "limits.json": json.dumps({"most": 17}),
        "rows.csv": "name,count\r\na,1\r\nb,two\r\n",
        "shop.json": json.dumps({"prices": {"AT": 1.5}}),
        "app.ini": "[shop]\nretries = 3\nworkers = 0\n",
        "in/one.txt": "a|b|c",
        "in/two.txt": "two",
        "counter": "41",
    }
    for name, text in texts.items():
        (folder / name).write_text(text, newline="")
    for number, name in enumerate(("b", "c", "a")):
        path = folder / "logs" / f"{name}.log"
        path.write_text(name)
        os.utime(path, (1_700_000_000 + number, 1_700_000_000 + number))
    (folder / "points.bin").write_bytes(b"\1\0\0\0\0\0\0\0")
