// "Keep my way in": somebody works on this machine over a connection from the world when its policy changes. It is never cut
// unasked, whoever asks the helper for it; `--keep` welcomes the caller and the very connection lives on; what is tried for a
// time goes back by itself, also when the helper dies meanwhile.
import type { ChildProcess } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import type { Policy } from "../../helper/contract/policy.ts";
import { labFile } from "../lab/machine.ts";
import { places } from "../lab/places.ts";
import { eachLine, firstLine, until } from "../lab/process.ts";
import { basePolicy, openRoad, type Road, throughNode } from "./road.ts";

const port = places.home.forwardedPort;
const script = fileURLToPath(new URL("call.ts", import.meta.url));
const welcome = [{ protocol: "tcp" as const, port, from: [] }];
let road: Road;
let caller: ChildProcess;
let back = 0;
let ended: string | null = null;

beforeAll(async () => {
  road = await openRoad({ control: [], allowed: { welcome: [{ protocol: "tcp", port }] } });
  const server = road.laptop.node(labFile("services/session.ts"), [JSON.stringify({ serve: port })]);
  await firstLine(server, (line) => line.includes('"listening"'), "the machine's own sshd");
  const at = JSON.stringify({ host: places.home.ipv4, port });
  caller = road.lab.machine("web").node(labFile("services/session.ts"), [at]);
  eachLine(caller, (line) => {
    const said = JSON.parse(line) as { back?: number; ended?: string };
    back = said.back ?? back;
    ended ??= said.ended ?? null;
  });
  await goesOn();
});
afterAll(() => road.close());

/** Lines that are sent from here on come back. */
async function goesOn(timeoutMs = 15_000): Promise<void> {
  const before = back;
  await until("lines that come back", async () => (back > before + 5 ? true : undefined), timeoutMs);
  expect(ended).toBe(null);
}

async function saved(): Promise<Policy> {
  return road.culvert.json<Policy>("policy", "get");
}

/** Without the command line's own questions. */
async function ask(policy: Policy): Promise<string> {
  return call("setPolicy", { policy });
}

async function call(name: string, params: object): Promise<string> {
  const asked = await road.laptop.exec([process.execPath, script, name, JSON.stringify(params)]);
  const reply = JSON.parse(asked.stdout) as { ok: boolean; refusal?: { code: string } };
  return reply.ok ? "saved" : (reply.refusal?.code ?? "");
}

test("P6 connecting would cut it: refused with the caller's address, nothing changed", async () => {
  const up = await road.culvert.cli("up", road.node.city, "--json");
  expect(up.code).not.toBe(0);
  expect(up.stdout).toContain("policy.cuts-session");
  expect(up.stdout).toContain(places.web.ipv4);
  expect((await road.culvert.status()).state.kind).toBe("off");
  // nor for who asks the helper without the command line
  const [node] = await road.culvert.json<{ id: string }[]>("nodes");
  expect(await call("connect", { node: node?.id })).toBe("policy.cuts-session");
  expect((await road.culvert.status()).state.kind).toBe("off");
  await goesOn();
});

test("P6 --keep: connected, the very connection lives on by the uplink, and nothing else does", async () => {
  const since = Date.now();
  const up = await road.culvert.cli("up", road.node.city, "--keep");
  expect(up.code, `${up.stdout}${up.stderr}`).toBe(0);
  await throughNode(road);
  await goesOn();
  expect((await saved()).welcome).toEqual([{ protocol: "tcp", port, from: [`${places.web.ipv4}/32`] }]);
  const { counts, beside } = await road.home.look(road.allowed, since);
  expect(beside).toEqual([]);
  expect(counts.reply).toBeGreaterThan(5);
});

test("P6 a policy that would cut it is refused by the helper itself, and the one of before stays", async () => {
  const before = await saved();
  expect(await ask({ ...basePolicy, welcome: [] })).toBe("policy.cuts-session");
  expect(await saved()).toEqual(before);
  await goesOn();
  expect(await ask({ ...basePolicy, welcome })).toBe("saved");
  await goesOn();
});

test("P6 tried for a time: cut, and back by itself when nobody confirms, with the connection", async () => {
  const before = await saved();
  const set = await trying(5);
  expect(set.code, `${set.stdout}${set.stderr}`).toBe(0);
  expect((await saved()).welcome).toEqual([]);
  const stopped = back;
  await until("the policy of before", async () => ((await saved()).welcome.length > 0 ? true : undefined), 15_000);
  // what was under way when it was cut may have come back
  expect(back - stopped).toBeLessThan(30);
  expect(await saved()).toEqual(before);
  await goesOn(30_000);
  await throughNode(road);
});

test("P6 the helper dies while it is tried: its next life goes back at once", async () => {
  const before = await saved();
  expect((await trying(600)).code).toBe(0);
  await road.culvert.kill();
  await road.culvert.start();
  expect(await saved()).toEqual(before);
  await goesOn(30_000);
});

test("P6 confirmed, it stays, also for the helper's next life", async () => {
  expect((await trying(600, { welcome })).code).toBe(0);
  expect((await road.culvert.status()).confirm).toBeDefined();
  const confirmed = await road.culvert.cli("confirm");
  expect(confirmed.code, confirmed.stderr).toBe(0);
  expect((await road.culvert.status()).confirm).toBe(undefined);
  await road.culvert.kill();
  await road.culvert.start();
  expect((await saved()).welcome).toEqual(welcome);
  await goesOn(30_000);
});

async function trying(seconds: number, change: Partial<Policy> = {}) {
  const file = join(road.lab.folder, "tried.json");
  await road.laptop.exec(["tee", file], { input: JSON.stringify({ ...basePolicy, welcome: [], ...change }) });
  return road.culvert.cli("policy", "set", file, "--within", String(seconds));
}
