// What holds for every plan, tried on random machines, policies, nodes and states.
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import { lengthOf } from "../contract/prefix.ts";
import { diff } from "../plan/diff.ts";
import { isOwnRoute } from "../plan/forms.ts";
import type { NftChain, NftRule, NftTable } from "../plan/nft.ts";
import { lastMetric, linkName, mainTable, marks, nexthopIds, priorities, ranges, tables } from "../plan/numbers.ts";
import type { Plan } from "../plan/plan.ts";
import { routeFact, simulate } from "../plan/simulate.ts";
import { compile } from "./compile.ts";
import type { Request } from "./ground.ts";
import { anyRequest } from "./sample-random.ts";
import { lanOf } from "./uplinks.ts";

const runs = { numRuns: 400 };

describe("any plan", () => {
  test("every base chain closes by its policy and by a last rule that drops whatever is left (A)", () => {
    check((plan) => {
      for (const chain of plan.nft.flatMap((t) => t.chains)) {
        // who is led elsewhere is judged by the chains behind
        if (chain.base === null || chain.base.type === "nat") continue;
        expect(chain.base.policy).toBe("drop");
        expect(chain.rules.at(-1)).toMatchObject({ matches: [], counter: true, verdict: { kind: "drop" } });
      }
    });
  });

  test("nothing is let out beside the tunnel without naming where it goes or whose answer it is", () => {
    check((plan, request) => {
      if (request.policy.mode === "only") return;
      for (const { table, chain, rule } of outward(plan)) {
        // to these come only packets for a resolver of ours on this machine
        if (chain.name === "asks_direct" || chain.name === "asks_tunnel") continue;
        // output has judged before; only loopback addresses are stopped here
        if (chain.name === "postrouting") continue;
        if (rule.verdict.kind !== "accept" || (table.family === "inet" && chain.name === "tunnel")) continue;
        expect(hasReason(rule, request), `${chain.name}: ${rule.note}`).toBe(true);
      }
    });
  });

  test("the tunnel is entered only in states in which a node carries", () => {
    check((plan) => {
      const open = plan.state === "connected" || plan.state === "switching";
      const into = plan.routes.filter((r) => r.to.kind === "dev" && r.to.dev === linkName);
      const chains = plan.nft.flatMap((t) => t.chains).filter((c) => c.name === "tunnel");
      if (!open) expect([into.length, chains.length]).toEqual([0, 0]);
      expect(into.every((r) => r.to.kind === "dev" && r.to.via === null)).toBe(true);
    });
  });

  test("every number is ours", () => {
    check((plan, request) => {
      for (const r of plan.routes) expect(isOwnRoute(routeFact(r)), JSON.stringify(r)).toBe(true);
      for (const r of plan.rules) {
        expect(ranges.firstPriority <= r.priority && r.priority <= ranges.lastPriority).toBe(true);
        if (r.action.kind === "lookup")
          expect(
            (ranges.firstTable <= r.action.table && r.action.table <= ranges.lastTable) ||
              // mode "only" asks the machine's own table before a rule would send it elsewhere
              (request.policy.mode === "only" && r.action.table === mainTable),
          ).toBe(true);
      }
      for (const n of plan.nexthops) expect(nexthopIds.first <= n.id && n.id <= nexthopIds.last).toBe(true);
    });
  });

  test("routing alone fails closed: the catch-all is there, with an unreachable default under it", () => {
    check((plan, request) => {
      const { form, mode } = request.policy;
      if (plan.state === "off" || form !== "table" || mode === "only") return;
      for (const family of request.facts.features.ipv6 ? ([4, 6] as const) : ([4] as const)) {
        const mine = plan.rules.filter((r) => r.family === family);
        expect(mine.some((r) => r.priority === priorities.catchAll && Object.keys(r).length === 3)).toBe(true);
        const stop = mine.filter((r) => r.priority >= priorities.catchAll && r.action.kind !== "lookup");
        expect(stop.map((r) => r.priority)).toEqual(family === 6 ? [priorities.stop] : []);
        const under = { family, table: tables.tunnel, metric: lastMetric, to: { kind: "unreachable" } };
        expect(plan.routes).toContainEqual(expect.objectContaining(under));
      }
    });
  });

  test("in IPv4 no rule refuses but under a mark of ours: it would break other programs' routes (E)", () => {
    check((plan) => {
      const refusing = plan.rules.filter((r) => r.family === 4 && r.action.kind !== "lookup");
      const { engineStop, askingStop } = priorities;
      for (const { mark, priority } of refusing) {
        expect([engineStop, askingStop]).toContain(priority);
        expect([marks.engine, marks.direct]).toContain(mark?.value);
      }
      expect(refusing.some((r) => r.priority === engineStop)).toBe(plan.state !== "off");
    });
  });

  test("what is made here is told from what is forwarded wherever a user or a program is named (P10)", () => {
    check((plan) => {
      for (const r of plan.rules.filter((x) => x.priority >= priorities.firstNear))
        if (r.uids !== undefined || r.mark !== undefined) expect(r.iif).toBe("lo");
    });
  });

  test("no rule says what the kernel refuses or tells otherwise than it was given (L, 8.16)", () => {
    check((plan) => {
      for (const r of plan.rules) {
        for (const range of [r.dport, r.sport]) {
          if (range === undefined) continue;
          expect(0 < range.from && range.from <= range.to && range.to < 65535).toBe(true);
          expect(r.protocol).toBeDefined();
        }
        for (const prefix of [r.from, r.to]) if (prefix !== undefined) expect(lengthOf(prefix)).toBeGreaterThan(0);
      }
    });
  });

  test('mode "only" takes nothing over, and keeps the machine\'s own table for what no rule names', () => {
    check((plan, request) => {
      if (plan.state === "off" || request.policy.mode !== "only") return;
      const four = plan.rules.filter((r) => r.family === 4 || request.policy.ipv6 === "carry");
      expect(four.filter((r) => r.priority >= priorities.catchAll)).toEqual([]);
      expect(plan.routes.filter((r) => r.table === mainTable)).toEqual([]);
    });
  });

  test("a form in main has no catch-all, covers everything, and replaces no route of others", () => {
    check((plan, request) => {
      const { facts, policy } = request;
      const laid = plan.routes.filter((r) => r.table === mainTable);
      if (plan.state === "off" || policy.form === "table" || policy.mode === "only") {
        expect(laid).toEqual([]);
        return;
      }
      expect(plan.rules.filter((r) => r.priority >= priorities.catchAll)).toEqual([]);
      const key = (r: { prefix: string; metric: number }) => `${r.prefix} ${r.metric}`;
      const others = new Set(facts.routes.filter((r) => r.table === mainTable && !isOwnRoute(r)).map(key));
      expect(laid.filter((r) => others.has(key(r)))).toEqual([]);
      for (const family of facts.features.ipv6 ? ([4, 6] as const) : ([4] as const)) {
        const stops = laid.filter((r) => r.family === family && r.to.kind === "unreachable").map((r) => r.prefix);
        expect(stops.reduce((sum, p) => sum + 2 ** -lengthOf(p), 0)).toBe(1);
        const rival = facts.routes.some(
          (r) => r.family === family && lengthOf(r.prefix) === 0 && r.table === mainTable && r.metric < 3,
        );
        const count = { metric: rival ? 2 : 1, halves: 2, eighths: 9 }[policy.form];
        expect(stops.length).toBe(count);
      }
    });
  });

  test("the LAN's table has honoured on-link prefixes only, on their links, never by a gateway (P4)", () => {
    check((plan, request) => {
      const honoured = lanOf(request.policy, request.facts).map((l) => `${l.prefix} ${l.link}`);
      for (const r of plan.routes.filter((x) => x.table === tables.lan)) {
        if (r.to.kind !== "dev") throw new Error("not a link");
        expect(r.to.via).toBeNull();
        expect(honoured).toContain(`${r.prefix} ${r.to.dev}`);
      }
    });
  });

  test("the engine's table leads to endpoints and nowhere else (P2)", () => {
    check((plan, request) => {
      const nodes = [request.exit, request.state === "switching" ? request.previous : null].map(
        (e) => e?.endpoint.address,
      );
      for (const r of plan.routes.filter((x) => x.table === tables.engine)) {
        expect(nodes).toContain(r.prefix.slice(0, r.prefix.indexOf("/")));
        expect(r.to.kind === "dev" && r.to.dev !== linkName).toBe(true);
      }
    });
  });

  test("no two routes share a key, no two rules are the same, every chain and set that is named exists", () => {
    check((plan) => {
      const keys = plan.routes.map((r) => `${r.table} ${r.prefix} ${r.metric}`);
      expect(new Set(keys).size).toBe(keys.length);
      const rules = plan.rules.map((r) => JSON.stringify(r));
      expect(new Set(rules).size).toBe(rules.length);
      for (const table of plan.nft) {
        const chains = table.chains.map((c) => c.name);
        const sets = table.sets.map((s) => s.name);
        expect(new Set(chains).size).toBe(chains.length);
        for (const rule of table.chains.flatMap((c) => c.rules)) {
          if (rule.verdict.kind === "jump") expect(chains).toContain(rule.verdict.chain);
          for (const match of rule.matches) if ("set" in match) expect(sets).toContain(match.set);
          expect(rule.note).toMatch(/^[\x20-\x7e]{1,120}$/);
        }
      }
    });
  });

  test("what was carried out differs in nothing, and the way to any other plan ends at it", () => {
    fc.assert(
      fc.property(anyRequest, anyRequest, (first, second) => {
        const one = compile(first);
        const two = compile({ ...second, facts: first.facts });
        if (!one.ok || !two.ok) return;
        const once = simulate(first.facts, diff(one.value, first.facts));
        expect(diff(one.value, once)).toEqual([]);
        expect(diff(two.value, simulate(once, diff(two.value, once)))).toEqual([]);
      }),
      runs,
    );
  });

  test("most random requests are granted, or these tests would say little", () => {
    const answers = fc.sample(anyRequest, 500).map((r) => compile(r).ok);
    expect(answers.filter((ok) => ok).length).toBeGreaterThan(300);
  });
});

function check(holds: (plan: Plan, request: Request) => void): void {
  fc.assert(
    fc.property(anyRequest, (request) => {
      const answer = compile(request);
      if (answer.ok) holds(answer.value, request);
    }),
    runs,
  );
}

function outward(plan: Plan): { readonly table: NftTable; readonly chain: NftChain; readonly rule: NftRule }[] {
  const inward = ["prerouting", "input", "to_inner", "answer", "passed", "resolver"];
  return plan.nft.flatMap((table) =>
    table.chains
      .filter((chain) => !inward.includes(chain.name))
      .flatMap((chain) => chain.rules.map((rule) => ({ table, chain, rule }))),
  );
}

/** lo and culvert0 themselves, ports of bridges inside the machine, a named destination or frame type, a marked answer. */
function hasReason(rule: NftRule, request: Request): boolean {
  // a rule of the policy may send direct what it knows by anything; that it is its packets is the prover's
  if (rule.note.startsWith("rule ") && rule.note.endsWith(": direct")) return true;
  return rule.matches.some((match) => {
    switch (match.kind) {
      case "oifname": {
        if (match.not === true) return false;
        const link = request.facts.links.find((l) => l.name === match.name);
        return match.name === "lo" || match.name === linkName || link?.kind === "veth" || rule.matches.length > 1;
      }
      case "daddr":
      case "daddr-set":
      case "ethertype":
        return match.kind === "ethertype" || match.not !== true;
      case "mark":
        return match.value === marks.reply && rule.matches.some((other) => other.kind === "saddr");
      default:
        return false;
    }
  });
}
