import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { afterEach, expect, test } from "vitest";

import { nodeSchema } from "../contract/node.ts";
import { defaultPolicy } from "../contract/policy.ts";
import { openStore } from "./store.ts";

const dirs: string[] = [];
afterEach(() => {
  for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true });
});

const secret = `${"b".repeat(42)}A=`;
const id = `${"c".repeat(42)}A=`;
const text = `[Interface]\nPrivateKey = ${secret}\nAddress = 10.7.0.2/32\n[Peer]\nPublicKey = ${id}\nEndpoint = 192.0.2.1:51820\nAllowedIPs = 0.0.0.0/0, ::/0\n`;

test("a node is kept over a restart, and shown without its keys", () => {
  const dir = newDir();
  const store = openStore(dir);
  const added = store.add(text, "Vilnius");
  expect(added).toMatchObject({ ok: true, value: { id, name: "Vilnius", carries: { ipv4: true, ipv6: false } } });
  store.used(id, 5);
  store.favourite(id, true);
  store.setPolicy({ ...defaultPolicy, ipv6: "block" });
  const again = openStore(dir);
  expect(again.nodes()).toEqual([{ ...(added.ok && added.value), favourite: true, lastUsed: 5 }]);
  expect(nodeSchema.array().safeParse(again.nodes()).success).toBe(true);
  expect(JSON.stringify(again.nodes())).not.toContain(secret);
  expect(again.configuration(id)?.privateKey).toBe(secret);
  expect(again.policy().ipv6).toBe("block");
});

test("the file with keys is the owner's alone, whatever the umask", () => {
  const dir = newDir();
  const before = process.umask(0);
  openStore(dir).add(text, "Vilnius");
  process.umask(before);
  expect(statSync(join(dir, "nodes.json")).mode & 0o777).toBe(0o600);
});

test("the same key twice is the same node, and a removed one is gone", () => {
  const store = openStore(newDir());
  store.add(text, "Vilnius");
  expect(store.add(text, "Other")).toMatchObject({ refusal: { code: "node.exists", data: { name: "Vilnius" } } });
  expect(store.remove(id).ok).toBe(true);
  expect(store.nodes()).toEqual([]);
  expect(store.remove(id)).toMatchObject({ refusal: { code: "node.unknown" } });
});

test("a broken file is not taken for an empty one, and what is said of it holds no secret", () => {
  const dir = newDir();
  openStore(dir).add(text, "Vilnius");
  const path = join(dir, "nodes.json");
  writeFileSync(path, readFileSync(path, "utf8").replace('"name": "Vilnius"', `"name": 7, "key": "${secret}"`));
  expect(() => openStore(dir)).toThrow(/nodes\.json is broken at nodes\.0/);
  writeFileSync(path, "{");
  expect(() => openStore(dir)).toThrow(/is no JSON/);
});

test("a load is told to whoever listens, once, and is not kept", () => {
  const dir = newDir();
  let changes = 0;
  const store = openStore(dir, () => (changes += 1));
  store.add(text, "Vilnius");
  const before = changes;
  store.load(id, 0.5);
  store.load(id, 0.5);
  expect([store.node(id)?.load, changes - before]).toEqual([0.5, 1]);
  expect(openStore(dir).node(id)?.load).toBeNull();
});

function newDir(): string {
  const dir = mkdtempSync(join(tmpdir(), "culvert-store-"));
  dirs.push(dir);
  return dir;
}
