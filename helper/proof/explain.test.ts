import { expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import { compile } from "../policy/compile.ts";
import { samplePlans } from "../policy/sample-plans.ts";
import { explain, refusalData, tellCounterexample, tellPacket, type Question } from "./explain.ts";
import { socket, value, withRules } from "./ground.ts";
import { prove } from "./prove.ts";

test("a packet is told by the user's rule, the ip rule, the route, the source and the lines that let it out", () => {
  const told = explain(sample("rules-connected"), ask("198.51.100.7"));
  expect(told.lane).toBe("direct");
  expect(told.rule).toEqual({ id: "bank", name: "bank", place: 2 });
  expect(told.way.map((w) => w.kind)).toEqual(["rule", "route", "source", "line", "line"]);
  expect(told.way[0]?.text).toMatch(/^ip rule pref 44\d\d lookup 7611/);
  expect(told.end).toMatchObject({ kind: "left", device: "wlan0" });
});

test("what no rule names goes into the tunnel, with the tunnel's source and MTU", () => {
  const told = explain(sample("rules-connected"), ask("203.0.113.200"));
  expect(told).toMatchObject({ lane: "tunnel", rule: null, end: { kind: "left", device: "culvert0" } });
  expect(told.mtu).toBeLessThan(1500);
  expect(told.source).toMatch(/^10\./);
});

test("the local network is told as such, and a blocked one by its errno", () => {
  expect(explain(sample("rules-connected"), ask("192.168.1.50")).lane).toBe("lan");
  expect(explain(sample("rules-connected"), ask("192.0.2.9"))).toMatchObject({
    lane: "block",
    end: { kind: "refused" },
  });
});

test("a counterexample names property, packet and way in plain text", () => {
  const { policy, facts, exit, plan } = sample("rules-connected");
  const open = { ...plan, nft: plan.nft.filter((t) => t.family === "inet") };
  const found = prove({ policy, facts, exit, plans: { connecting: open, connected: open, locked: open } });
  if (found.kind !== "counterexample") throw new Error("an open gate was proven");
  const told = tellCounterexample(found);
  expect(told.property).toBe("P1");
  expect(told.packet).toContain("as a raw frame on");
  expect(told.end).toMatch(/^left by/);
  expect(refusalData(told).way).toContain("left by");
});

test("a packet is told in one line", () => {
  expect(tellPacket(value({ origin: socket("eth0"), mark: 0xc100_0000, flags: ["lsrr"] }))).toBe(
    "udp * port 40000 to 203.0.113.200 port 7777 from a program bound to eth0 mark 0xc1000000 lsrr",
  );
});

const ask = (destination: string): Question => ({
  ...{
    destination: destination as Address,
    protocol: "tcp",
    port: 443,
    source: null,
    device: null,
    incoming: null,
    uid: 1000,
    mark: 0,
  },
});

function sample(name: string) {
  const request = samplePlans[name];
  if (request?.exit == null) throw new Error("no sample");
  const facts = withRules(request.facts);
  const answer = compile({ ...request, facts });
  if (!answer.ok) throw new Error(answer.refusal.code);
  return { policy: request.policy, facts, exit: request.exit, plan: answer.value, gate: null };
}
