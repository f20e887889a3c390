"""Talks to a raw room with Debian's python3-websockets; prints "ok" when all of it held."""
import asyncio
import json
import sys

import websockets


async def main(url):
    async with websockets.connect(f"{url}/room/python?user=py&tag=snake", max_size=None) as socket:
        for message in ["hello", "", "ä€😀", "x" * 100_000, b"\x00\xff" * 40_000, b""]:
            await socket.send(message)
            assert await socket.recv() == message, f"not echoed: {message[:20]!r}"
        await socket.send(["frag", "ment", "ed"])
        assert await socket.recv() == "fragmented"
        await (await socket.ping(b"are you there"))
        await socket.send("tell")
        told = json.loads(await socket.recv())
        assert told["user"] == "py" and told["tags"] == ["snake"], told
        assert socket.extensions and socket.extensions[0].name == "permessage-deflate", "no compression"
        for i in range(500):
            await socket.send(f"{i}")
        for i in range(500):
            assert await socket.recv() == f"{i}"
        await socket.send("close 4321 as asked")
        try:
            await socket.recv()
            raise AssertionError("it was not closed")
        except websockets.ConnectionClosed as end:
            assert (end.rcvd.code, end.rcvd.reason) == (4321, "as asked"), end
    print("ok")


asyncio.run(main(sys.argv[1]))
