// What a flow asks of the routing rules, and the likeness of all that: what is the same in two machines is walked once.
import type { Family } from "../contract/prefix.ts";
import type { RuleFact } from "../plan/facts.ts";
import { legsOf, loopbackName, loopbackUp, present, usableLink } from "./alive.ts";
import { ownRule, type Machine, type Route } from "./machine.ts";
import { standIn, type Packet, type Part, type StandIn } from "./packet.ts";

export interface Flow {
  /** null: made on this machine, which rules call `iif lo` (8.8, 8.9) */
  readonly iif: string | null;
  /** the device the socket is bound to */
  readonly oif: string | null;
  /** false: no source yet, `from` matches nothing (3.13) */
  readonly sourceKnown: boolean;
  /** kernel-made packets count as uid 0 (2.28) */
  readonly kernel: boolean;
  /** true: rules see neither protocol nor ports */
  readonly portless?: boolean;
}

/** The rules a flow is asked by, in order, each with the answers of the table it leads to. */
export interface Asked extends Part {
  readonly rules: readonly AskedRule[];
}

export interface AskedRule extends Part {
  readonly like: StandIn;
  readonly rule: RuleFact;
  /** all selectors together */
  readonly selects: Part;
  readonly table: Part;
}

/**
 * The likeness of rules and of all of them together names everything they read: the rule, what of its table is there and
 * alive, and the flow as far as it is asked. So of many faults only those are walked anew that can change a way, and from
 * the first rule on that they change.
 */
export function askedBy(machine: Machine, packet: Packet, flow: Flow): Asked {
  const { family } = packet;
  let flows = askedOf.get(machine);
  if (flows === undefined) askedOf.set(machine, (flows = new Map<string, Asked>()));
  const name = `${packet.tables} ${family} ${flowName(flow)}`;
  const known = flows.get(name);
  if (known) return known;
  const rules = machine.rules
    .filter((rule) => rule.family === family && (rule.not || namesDevices(rule, flow, machine)))
    .map((rule): AskedRule => askedRule(machine, packet, rule, flow));
  // a jump depends on whether its target is there, for whatever device
  const jumps = rules.some(({ rule }) => rule.action.kind === "goto");
  const targets = jumps ? machine.rules.filter((r) => r.family === family).map((r) => r.priority) : [];
  const parts = rules.map((r) => r.like.number).join();
  const like = standIn(`asked ${targets.join()} ${earlyText(machine, family, flow)} ${parts}`);
  const made = { born: "any", like, tables: "named", rules } as const;
  flows.set(name, made);
  return made;
}

const askedOf = new WeakMap<Machine, Map<string, Asked>>();

const flowName = (flow: Flow): string => `${flow.iif ?? "/"} ${flow.oif ?? "/"} ${howName(flow)}`;

const howName = ({ sourceKnown, kernel, portless }: Flow): string =>
  `${sourceKnown ? "from" : ""} ${kernel ? "kernel" : ""} ${portless === true ? "portless" : ""}`;

/** What IPv4 reads beside its rules: where a failed lookup ends, and where multicast leaves. */
function earlyText(machine: Machine, family: Family, { iif, oif, sourceKnown }: Flow): string {
  if (family === 6 || iif !== null) return "";
  if (oif !== null) return `${oif} ${usableLink(machine, oif) === undefined ? "down" : "up"}`;
  if (!sourceKnown) return "";
  return JSON.stringify(machine.addresses.map((a) => [a.link, a.address, usableLink(machine, a.link) !== undefined]));
}

function askedRule(machine: Machine, packet: Packet, rule: RuleFact, flow: Flow): AskedRule {
  const here = `${flow.iif === null ? "here" : ""} ${howName(flow)}`;
  // devices are named by the flow already, but where `not` turns that round
  const by = rule.not ? `${flowName(flow)} ${loopbackName(machine)}` : here;
  const { family } = packet;
  const selects = standIn(`selects ${family} ${by} ${textOf(rule)}`);
  const { action } = rule;
  const table = action.kind === "lookup" ? tableLike(machine, packet, flow, action.table, rule) : null;
  return {
    like: standIn(`rule ${textOf(rule)} ${selects.number} ${table?.number ?? ""}`),
    selects: { born: "any", like: selects },
    table: { born: "any", tables: "named", ...(table !== null && { like: table }) },
    ...{ born: "any", tables: "named", rule },
  };
}

/** A rule in so few words that equal ones are equal. */
function textOf(rule: RuleFact): string {
  let text = texts.get(rule);
  if (text === undefined) texts.set(rule, (text = String(standIn(JSON.stringify(rule)).number)));
  return text;
}

const texts = new WeakMap<RuleFact, string>();

/** The same for all machines in which the same of a table's routes are there and alive. */
function tableLike(machine: Machine, packet: Packet, flow: Flow, table: number, rule: RuleFact): StandIn {
  const whose = ownRule(rule) ? "ours" : rule.priority;
  const from = flow.sourceKnown ? "from" : "";
  const alive = aliveIn(machine, packet.laid(table));
  return standIn(
    `table ${packet.family} ${table} ${flow.oif ?? "/"} ${from} ${rule.suppressPrefixLength ?? ""} ${whose} ${alive}`,
  );
}

/** Which routes of a table are there in this machine, and by which legs. */
function aliveIn(machine: Machine, laid: readonly Route[]): number {
  let known = alive.get(machine);
  if (known === undefined) alive.set(machine, (known = new Map<readonly Route[], number>()));
  let found = known.get(laid);
  if (found === undefined) {
    const each = laid.map((route) =>
      present(machine, route) ? legsOf(machine, route).map((leg) => [leg.dev, leg.via]) : 0,
    );
    found = standIn(`routes ${listNumber(laid)} ${loopbackUp(machine)} ${JSON.stringify(each)}`).number;
    known.set(laid, found);
  }
  return found;
}

const alive = new WeakMap<Machine, Map<readonly Route[], number>>();

function listNumber(laid: readonly Route[]): number {
  let number = lists.get(laid);
  if (number === undefined) lists.set(laid, (number = listsSoFar += 1));
  return number;
}

const lists = new WeakMap<readonly Route[], number>();
let listsSoFar = 0;

export const namesDevices = (rule: RuleFact, flow: Flow, machine: Machine): boolean =>
  (rule.iif === null || rule.iif === (flow.iif ?? loopbackName(machine))) &&
  (rule.oif === null || rule.oif === flow.oif);
