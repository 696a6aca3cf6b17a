import { expect, test } from "vitest";

import type { Policy, PolicyRule } from "../contract/policy.ts";
import { address, direct, dualStack, policy, prefix, request } from "./sample-machines.ts";
import { cutSessions, welcomeOf } from "./way-in.ts";

const session = { from: address("198.51.100.7"), fromPort: 50_000, at: address("192.168.1.23"), port: 22 };
const isCut = (change: Partial<Policy>, of = session, tracked = true): boolean =>
  cutSessions(request(dualStack, "connected", { policy: policy(change) }), [of], tracked).length > 0;
const block = (match: PolicyRule["match"]): PolicyRule => ({ id: "block", name: "block", match, lane: "block" });

test("a caller from the world is cut where everything goes into the tunnel, unless he is welcome", () => {
  expect(isCut({})).toBe(true);
  expect(isCut({ welcome: [welcomeOf(session)] })).toBe(false);
  expect(isCut({ welcome: [{ protocol: "tcp", port: 22, from: [] }] })).toBe(false);
  expect(isCut({ welcome: [{ protocol: "udp", port: 22, from: [] }] })).toBe(true);
  expect(isCut({ welcome: [{ protocol: "tcp", port: 2222, from: [] }] })).toBe(true);
  expect(isCut({ welcome: [{ protocol: "tcp", port: 22, from: [prefix("203.0.113.0/24")] }] })).toBe(true);
});

test("where only some goes into the tunnel he is cut when a rule takes him", () => {
  expect(isCut({ mode: "only" })).toBe(false);
  const tunnel: PolicyRule = { ...direct("far", "198.51.100.0/24"), lane: "tunnel" };
  expect(isCut({ mode: "only", rules: [tunnel] })).toBe(true);
  expect(isCut({ mode: "only", rules: [tunnel], welcome: [welcomeOf(session)] })).toBe(false);
  expect(isCut({ mode: "only", rules: [direct("near", "198.51.100.7/32"), tunnel] })).toBe(false);
  expect(isCut({ mode: "only", rules: [block({ users: [1000] })] })).toBe(false);
  expect(isCut({ mode: "only", rules: [block({ users: [0] })] })).toBe(true);
});

test("a direct rule for his address keeps him, if it is the first that matches", () => {
  expect(isCut({ rules: [direct("office", "198.51.100.0/24")] })).toBe(false);
  expect(isCut({ rules: [block({ protocol: "tcp" }), direct("office", "198.51.100.0/24")] })).toBe(true);
});

test("a caller on the local network stays until the local network, or he, is shut out", () => {
  const near = { ...session, from: address("192.168.1.77") };
  expect(isCut({}, near)).toBe(false);
  expect(isCut({ lan: { allow: false, approved: [] } }, near)).toBe(true);
  expect(isCut({ rules: [block({ destination: [prefix("192.168.1.77/32")] })] }, near)).toBe(true);
  expect(isCut({ rules: [block({ destination: [prefix("192.168.1.78/32")] })] }, near)).toBe(false);
});

// found by the packet tests, e2e/net/way-in
test("a connection from before the gate lives on where single hosts are welcomed, not where everybody is", () => {
  const everybody = { protocol: "tcp" as const, port: 22, from: [] };
  expect(isCut({ welcome: [everybody] }, session, false)).toBe(true);
  expect(isCut({ welcome: [everybody, welcomeOf(session)] }, session, false)).toBe(false);
  const office = direct("office", "198.51.100.0/24");
  expect(isCut({ rules: [office] }, session, false)).toBe(false);
  expect(isCut({ rules: [office], welcome: [everybody] }, session, false)).toBe(true);
  expect(isCut({ mode: "only", welcome: [everybody] }, { ...session, port: 23 }, false)).toBe(false);
});

test("over IPv6 he is cut when IPv6 is blocked", () => {
  const six = { ...session, from: address("2001:db8:9::1"), at: address("2001:db8:7:1:1a2b:3c4d:5e6f:7081") };
  expect(isCut({ mode: "only" }, six)).toBe(false);
  expect(isCut({ mode: "only", ipv6: "block" }, six)).toBe(true);
});
