import { expect, test } from "vitest";

import type { Facts, RuleFact } from "../plan/facts.ts";
import { diff } from "../plan/diff.ts";
import { ruleFact, simulate } from "../plan/simulate.ts";
import { compile } from "./compile.ts";
import { dualStack, pushed, request } from "./sample-machines.ts";

const theirs = (priority: number, table: number, more: Partial<RuleFact> = {}): RuleFact => ({
  ...ruleFact({ family: 4, priority, action: { kind: "lookup", table } }),
  ...{ protocol: 4, ...more },
});

test.each<readonly [string, Partial<Facts>, string]>([
  ["a priority", { rules: [theirs(4500, 100)] }, "ip rule del pref 4500 lookup 100 protocol static"],
  ["a table that a rule asks", { rules: [theirs(100, 7610)] }, "ip rule del pref 100 lookup 7610 protocol static"],
  [
    "a mark",
    { rules: [theirs(6000, 100, { mark: { value: 0xc100_0000, mask: 0xff00_0000 } })] },
    "ip rule del pref 6000 fwmark 0xc1000000/0xff000000 lookup 100 protocol static",
  ],
  [
    "a route in a table of ours",
    { routes: [...dualStack.routes, { ...pushed("198.51.100.0/24", "wlan0", "192.168.1.1", 4), table: 7600 }] },
    "ip route del 198.51.100.0/24 via 192.168.1.1 dev wlan0 table 7600 metric 0",
  ],
  [
    "a nexthop id",
    {
      nexthops: [{ id: 7600, family: 4, protocol: 4, blackhole: true, dev: null, via: null, group: [] }],
    },
    "ip nexthop del id 7600",
  ],
])("%s that another uses is named with what frees it, and locking goes on", (_name, facts, remedy) => {
  const machine = { ...dualStack, ...facts };
  const answer = compile(request(machine, "connecting"));
  expect(answer).toMatchObject({ ok: false, refusal: { code: "machine.number-taken", data: { remedy } } });
  expect(compile(request(machine, "locked")).ok).toBe(true);
});

test("our own, of this or an earlier life, and others' numbers elsewhere take nothing of ours", () => {
  const plan = compile(request(dualStack, "connected"));
  if (!plan.ok) throw new Error(plan.refusal.code);
  const standing = simulate(dualStack, diff(plan.value, dualStack));
  expect(compile(request(standing, "connected")).ok).toBe(true);
  const mark = { value: 0x8_0000, mask: 0xff_0000 };
  const tailscale = { ...dualStack, rules: [theirs(5210, 254, { mark }), theirs(5270, 52)] };
  expect(compile(request(tailscale, "connecting")).ok).toBe(true);
});
