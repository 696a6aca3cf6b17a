// The wire watch against frames that are really sent. Needs root and a network namespace of its own.
import { afterEach, beforeEach, expect, test } from "vitest";

import type { Address, Prefix } from "../contract/prefix.ts";
import { flood, framesOut, makeUplink, removeUplink, sh, until } from "./apart.ts";
import { loadNative, type WireRules } from "./native.ts";
import { watchWire } from "./wire.ts";

const native = loadNative();
const watch = watchWire(native);
let stop: (() => Promise<void>) | undefined;
beforeEach(makeUplink);
afterEach(async () => {
  await stop?.();
  stop = undefined;
  watch.close();
  removeUplink();
});

const rules: WireRules = {
  uplinks: ["up0"],
  endpoints: [{ address: "203.0.113.7" as Address, port: 51_820 }],
  // the kernel reports its own groups to the link whenever it likes (MLD)
  direct: ["198.51.100.0/25", "2001:db8:5::/48", "ff02::/16"] as readonly string[] as readonly Prefix[],
  answers: [{ protocol: 6, port: 22 }],
};

test("the engine's packets and direct prefixes may leave, all else is beside and kept as evidence", async () => {
  watch.follow(rules);
  send("203.0.113.7", 51_820);
  send("198.51.100.1", 443);
  send("198.51.100.127", 443);
  send("2001:db8:5::1", 443);
  await until(() => watch.counts().seen >= 4);
  expect(watch.counts()).toMatchObject({ beside: 0, missed: 0, first: [] });
  send("203.0.113.7", 53);
  send("198.51.100.128", 443);
  send("2001:db8:6::1", 443);
  await until(() => watch.counts().beside >= 3);
  const { beside, first } = watch.counts();
  expect(beside).toBe(3);
  expect(first.map((f) => [f.device, f.protocol, f.source, f.destination, f.dport])).toEqual([
    ["up0", 17, "192.0.2.2", "203.0.113.7", 53],
    ["up0", 17, "192.0.2.2", "198.51.100.128", 443],
    ["up0", 17, "2001:db8:1::2", "2001:db8:6::1", 443],
  ]);
});

test("ARP and neighbour discovery belong to the link; pings to strangers do not", async () => {
  const before = watch.counts();
  watch.follow(rules);
  sh("ip neigh flush all");
  sh("ping -c1 -W1 192.0.2.77 || true");
  sh("ping -6 -c1 -W1 2001:db8:1::77 || true");
  await until(() => watch.counts().seen - before.seen >= 2);
  expect(watch.counts().beside).toBe(before.beside);
  sh("ip neigh replace 192.0.2.1 lladdr 02:00:00:00:00:01 dev up0");
  sh("ping -c1 -W1 203.0.113.7 || true");
  await until(() => watch.counts().beside === before.beside + 1);
});

test("a flood is counted frame by frame, also over a change of the rules", async () => {
  const before = watch.counts();
  watch.follow(rules);
  const out = framesOut();
  stop = await flood();
  await until(() => framesOut() - out > 2000);
  watch.follow({ ...rules, answers: [] });
  await until(() => framesOut() - out > 4000);
  await stop();
  stop = undefined;
  const sent = framesOut() - out;
  // both watches see what leaves while they stand side by side
  const counted = () => watch.counts().seen - before.seen + watch.counts().missed - before.missed;
  await until(() => counted() >= sent);
  const { beside } = watch.counts();
  expect(beside - before.beside).toBeGreaterThan(2000);
});

test("a link that is not there is refused", () => {
  expect(() => {
    watch.follow({ ...rules, uplinks: ["nosuch"] });
  }).toThrow(expect.objectContaining({ name: "KernelError", code: "ENODEV" }));
});

function send(to: string, port: number): void {
  const family = to.includes(":") ? "udp6" : "udp4";
  sh(
    `${process.execPath} -e 'const s = require("node:dgram").createSocket("${family}"); s.send("x", ${port}, "${to}", () => s.close())'`,
  );
}
