// What a form of taking over that lies in main cannot hold by routing: main is also others', and there the longer prefix,
// among equals the better metric, wins. Written from what a form is, not from how it is laid: what leaves by a route that
// this file does not name is a leak of routing, and what does not arrive through the tunnel in spite of it is a broken lane.
import type { Form } from "../contract/policy.ts";
import { lengthOf, type Family, type Prefix } from "../contract/prefix.ts";
import { oneOf } from "./fib.ts";
import type { Bundle } from "./bundles.ts";
import { mainTable } from "./machine.ts";
import type { Packet, PrefixSet } from "./packet.ts";
import type { State } from "./state.ts";
import type { Walk } from "./walk.ts";

/** What a form may ask of an address, for the classes. */
export function formQuestions(form: Form): PrefixSet[] {
  return form === "table" ? [] : [...halvesOf, ...eighthsOf[4], ...eighthsOf[6]];
}

/** Whether it was another's rule or route that decided last over this packet, by right of the form. */
export function outranked({ policy: { form }, bundles }: State, packet: Packet, { steps }: Walk): boolean {
  if (form === "table") return false;
  const asked = steps.filter((step) => step.kind === "route").at(-1);
  if (asked?.kind !== "route") return false;
  const { route, rule } = asked.decision;
  if (rule === null || isOurs(rule.priority) || route?.planned === true) return false;
  // rules of others that stand before main's decide first, whatever main says
  if (rule.action.kind !== "lookup") return true;
  if (route === null) return false;
  if (route.table !== mainTable) return true;
  const length = lengthOf(route.prefix);
  const least = pieceLength(form, packet, bundles);
  return length > least || (length === least && route.metric < tunnelMetric);
}

/** The eighths begin at 1/8: 0/8 is "this network" (RFC 1122, 3.2.1.3), and goes nowhere. */
export function leftOut({ policy }: State, packet: Packet): boolean {
  return policy.form === "eighths" && packet.family === 4 && packet.destination(thisNetwork);
}

const isOurs = (priority: number): boolean => priority >= 4000 && priority <= 4999;

/** In main the form's routes have metric 1; a default with 0, 1 or 2 makes the metric form one of halves. */
const tunnelMetric = 1;
const noRoom = 2;

const sets = (...prefixes: string[]): PrefixSet[] => prefixes.map((text) => oneOf(text as Prefix));
const thisNetwork = oneOf("0.0.0.0/8" as Prefix);
const halvesOf = sets("0.0.0.0/1", "128.0.0.0/1", "::/1", "8000::/1");
const eighthsOf: Readonly<Record<Family, readonly PrefixSet[]>> = {
  4: sets("0.0.0.0/8", "1.0.0.0/8", "2.0.0.0/7", "4.0.0.0/6", "8.0.0.0/5", "16.0.0.0/4", "32.0.0.0/3", "64.0.0.0/2"),
  6: sets("::/8", "100::/8", "200::/7", "400::/6", "800::/5", "1000::/4", "2000::/3", "4000::/2"),
};

function pieceLength(form: Form, packet: Packet, bundles: readonly Bundle[]): number {
  if (form === "halves") return 1;
  if (form === "metric") {
    const room = bundles.every(
      ({ route: r }) =>
        r.family !== packet.family ||
        r.table !== mainTable ||
        r.planned === true ||
        r.only !== undefined ||
        lengthOf(r.prefix) > 0 ||
        r.metric > noRoom,
    );
    return room ? 0 : 1;
  }
  const piece = eighthsOf[packet.family].find((set) => packet.destination(set))?.prefixes[0];
  return piece === undefined ? 1 : lengthOf(piece);
}
