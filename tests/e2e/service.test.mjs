// What a service manager (systemd, Type=notify) is told, through a real datagram socket.
import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";

import { Socket } from "../lib/clients.mjs";
import { temporaryFolder } from "../lib/folders.mjs";
import { Child, until } from "../lib/process.mjs";
import { onHearth, start } from "../lib/target.mjs";
import { upgrade } from "../lib/upgrade.mjs";

const suite = { skip: onHearth ? false : "hearth's own words", concurrency: 1 };
const kPatienceMs = 30_000;

// Node.js has no datagram sockets of this kind. Each message with the process that sent it, as the
// kernel says; `abstract` has its name behind a zero byte.
const kManager = `
import json, socket, struct, sys
name = sys.argv[1]
manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
manager.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
manager.bind("\\0" + name[1:] if name[0] == "@" else name)
print("listening", flush=True)
while True:
    data, extra, _, _ = manager.recvmsg(4096, socket.CMSG_SPACE(12))
    pid = next(struct.unpack("iii", part)[0] for _, kind, part in extra if kind == socket.SCM_CREDENTIALS)
    print(json.dumps({"pid": pid, "state": data.decode().split("\\n")}), flush=True)
`;

async function manager(t, name) {
  const child = new Child("python3", ["-c", kManager, name]);
  t.after(() => child.killTree());
  await child.line(/^listening/, kPatienceMs);
  const told = () => child.lines.filter(({ text }) => text.startsWith("{")).map(({ text }) => JSON.parse(text));
  return { told, tells: (pid, state) =>
    until(() => told().find((each) => each.pid === pid && each.state.includes(state)), () => `${state} of ${pid} in\n${child.output}`, kPatienceMs) };
}

describe("a service manager", suite, () => {
  test("learns that hearth serves, which process serves after an upgrade, and that it ends", async (t) => {
    const name = join(temporaryFolder("hearth-test-"), "notify");
    const systemd = await manager(t, name);
    const target = await start("raw", { env: { NOTIFY_SOCKET: name } });
    t.after(() => target.stop());
    const first = target.pid;
    const ready = await systemd.tells(first, "READY=1");
    assert.deepEqual(ready.state, ["READY=1", `MAINPID=${first}`]);
    const socket = await Socket.connect(`${target.ws}/room/service?user=u`);

    const { code, output } = await upgrade(target);
    assert.equal(code, 0, output);
    const second = target.pid;
    // With NotifyAccess=main only the process that served may say who serves now.
    await systemd.tells(first, `MAINPID=${second}`);
    await systemd.tells(second, "READY=1");
    assert.equal(await socket.ask("there"), "there");
    await socket.close();
    assert.ok(!systemd.told().some(({ state }) => state.includes("STOPPING=1")), "the service goes on");

    await target.stop();
    await systemd.tells(second, "STOPPING=1");
    assert.deepEqual(systemd.told().filter(({ pid }) => pid === first).at(-1).state, [`MAINPID=${second}`], "the first one's last word");
  });

  test("may listen under an abstract name; and one that is not there holds up nothing", async (t) => {
    const name = `@hearth-test-${process.pid}-${Date.now()}`;
    const systemd = await manager(t, name);
    const target = await start("raw", { env: { NOTIFY_SOCKET: name } });
    t.after(() => target.stop());
    await systemd.tells(target.pid, "READY=1");
    const deaf = await start("raw", { env: { NOTIFY_SOCKET: "/nowhere/notify" } });
    await deaf.stop();
  });
});
