// Sets of packets against single ones, with the plans that the compiler makes: what the walk and the policy say of a set is
// what they say of each packet in it, with and without faults. Questions about ports that were wrong in both passed every
// other test, the mutation check too.
import fc from "fast-check";
import { describe, expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import { compile } from "../policy/compile.ts";
import { samplePlans } from "../policy/sample-plans.ts";
import { routesTo } from "./bundles.ts";
import { everything, explore } from "./classes.ts";
import { concrete } from "./concrete.ts";
import { none } from "./faults.ts";
import { value, withRules } from "./ground.ts";
import { inCube } from "./member.ts";
import { ctStates, type Packet, type PacketValue } from "./packet.ts";
import { stateOf, type State } from "./state.ts";
import { walk, type End } from "./walk.ts";

const seed = Number(process.env.SEED ?? 11);
const samples = ["rules-connected", "selectors-connected", "welcomed-service", "lan-off"];

describe.each(samples)("%s", (name) => {
  const state = stateOfSample(name);

  test("where a set of packets goes, each of them goes", () => {
    const machines = [none, ...state.faults].map((fault) => fault.change(state.machine));
    fc.assert(
      fc.property(anyPacket(state), fc.constantFrom(...machines), (packet, machine) => {
        // which of its own addresses it speaks from to one of them, a set of packets does not ask (RFC 6724, rule 1)
        if (packet.source === null && machine.addresses.some((a) => a.address === packet.destination)) return;
        const end = said(walk(machine, single(state, packet)).end);
        const way = (asked: Packet): string => said(walk(machine, asked).end);
        // of sources that the destination decides between, a set of packets tries each
        if (packet.source === null) expect(found(state, packet, way, "any")).toContain(end);
        else expect(found(state, packet, way, "first")).toEqual([end]);
      }),
      { seed, numRuns: Number(process.env.RUNS ?? 60) },
    );
  });

  test("what the policy wants of a set of packets it wants of each of them", () => {
    const { wanted } = state;
    const wishes = (packet: Packet): string => {
      const { lane, rule } = wanted.lane(packet);
      const marks = [rule === null, rule?.match.ports === undefined, rule?.match.source === undefined];
      const where = [...state.devices, "wlan0"].map((device) => wanted.beside(packet, device));
      return JSON.stringify([lane, marks, wanted.lane(packet, false).lane, wanted.isLan(packet), where]);
    };
    fc.assert(
      fc.property(anyPacket(state), (packet) => {
        if (packet.source === null) return;
        expect(found(state, packet, wishes, "first")).toEqual([wishes(single(state, packet))]);
      }),
      { seed, numRuns: Number(process.env.RUNS ?? 60) },
    );
  });
});

/** What is said of the sets that a packet is in. */
function found(state: State, packet: PacketValue, say: (asked: Packet) => string, chosen: "any" | "first"): string[] {
  const { classes } = state;
  const all: string[] = [];
  explore(classes, [everything(classes, packet.family, packet.origin)], (asked, leaf) => {
    const answer = say(asked);
    if (inCube(classes, leaf(), packet, chosen)) all.push(answer);
    return undefined;
  });
  return all;
}

const said = (end: End): string => (end.kind === "left" ? `${end.device} via ${end.gateway ?? "-"}` : end.kind);

function single({ bundles, machine }: State, packet: PacketValue): Packet {
  const sources = packet.source === null ? [] : [packet.source];
  const mine = machine.addresses.map((a) => a.address);
  return concrete(packet, routesTo(bundles, [packet.destination, ...sources, ...mine]));
}

function stateOfSample(name: string): State {
  const request = samplePlans[name];
  if (request?.exit == null) throw new Error(`no sample ${name}`);
  const input = { policy: request.policy, facts: withRules(request.facts), exit: request.exit };
  const plan = compile({ ...request, facts: input.facts, state: "connected" });
  if (!plan.ok) throw new Error(plan.refusal.code);
  return stateOf(input, plan.value);
}

/** Addresses that somebody asks for, ports and marks that are in the plan, and others. */
function anyPacket({ classes, plan, machine, exit, wanted }: State): fc.Arbitrary<PacketValue> {
  const mine = machine.addresses.map((a) => a.address);
  const six = (address: Address): boolean => address.includes(":");
  const pick = (family: 4 | 6): fc.Arbitrary<Address> => {
    const space = classes.spaces[family];
    const all = [
      ...Array.from({ length: space.classes }, (_, i) => space.representative(i)),
      ...mine,
      exit.endpoint.address,
    ];
    return fc.constantFrom(...all.filter((address) => six(address) === (family === 6)));
  };
  const ports = [53, 67, 68, 443, 853, exit.endpoint.port, 22, 40000, 65535];
  const marks = [0, ...wanted.marks, ...machine.rules.flatMap((r) => (r.mark ? [r.mark.value] : []))];
  const devices = [null, ...machine.links.keys()];
  return fc.constantFrom(4 as const, 6 as const).chain((family) =>
    fc
      .record({
        source: pick(family),
        destination: pick(family),
        protocol: fc.constantFrom(6, 17, family === 4 ? 1 : 58, 132),
        sport: fc.constantFrom(...ports),
        dport: fc.constantFrom(...ports),
        mark: fc.constantFrom(...marks),
        uid: fc.constantFrom(0, 1000),
        ct: fc.constantFrom(...Object.values(ctStates)),
        device: fc.constantFrom(...devices),
        how: fc.constantFrom("unset", "set", "arriving"),
      })
      .map(({ device, how, source, ...rest }) => {
        const arrives = how === "arriving" && device !== null && device !== plan.link?.name;
        const origin = arrives
          ? ({ kind: "arriving", device } as const)
          : ({ kind: "socket", device, source: how === "unset" ? "unset" : "set", kernel: false } as const);
        const from = origin.kind === "socket" && origin.source === "unset" ? null : source;
        return value({ ...rest, family, origin, source: from, ethertype: family === 4 ? 0x0800 : 0x86dd });
      }),
  );
}
