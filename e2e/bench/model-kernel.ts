// The half of `model` that runs inside an empty network namespace of its own: random policies are laid with the addon, the
// machine is read back, and every random packet is asked of the kernel (RTM_GETROUTE) and of the model; then packets are
// sent for real and nft's counters are held against the lines the model says they met. Prints one JSON object.
import { execFileSync } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";

import fc from "fast-check";

import { loadNative } from "../../helper/kernel/native.ts";
import { type HaveTable, nftChanges } from "../../helper/kernel/nft-changes.ts";
import { until } from "../lab/process.ts";
import { differencesIn, modelOf, sendable } from "./model-compare.ts";
import { anyGate, anyOperations, anyQuestion, devices } from "./model-random.ts";

const [seedText = "1", policiesText = "1", packetsText = "1"] = process.argv.slice(2);
const [seed, policies, packets] = [Number(seedText), Number(policiesText), Number(packetsText)];
const native = loadNative("../../native/addon/culvert.node");
const route = native.netlinkOpen();
const nft = native.nftOpen();

// TUN devices take whatever is routed to them and answer nothing: no neighbour is ever waited for
execFileSync("ip", ["link", "set", "lo", "up"]);
for (const { name, addresses } of devices) {
  native.tunOpen({ name, vnetHeader: false });
  execFileSync("ip", ["link", "set", name, "up"]);
  for (const address of addresses)
    execFileSync("ip", ["addr", "add", address, "dev", name, ...(address.includes(":") ? ["nodad"] : [])]);
}

// an IPv6 address becomes one of the machine's a moment later, in a kernel thread (addrconf_dad_work)
for (const { addresses } of devices)
  for (const address of addresses)
    await until(`${address} in table local`, async () => {
      const own = `${address.replace(/\/.*/, "")}/`;
      return native.netlinkRead(route).routes.some((r) => r.table === 255 && r.prefix.startsWith(own)) || undefined;
    });

const differences: string[] = [];
let asked = 0;
let sent = 0;
for (let policy = 0; policy < policies; policy++) {
  const at = { seed: seed + policy, numRuns: 1 };
  const [operations = []] = fc.sample(anyOperations, at);
  const [gate = []] = fc.sample(anyGate, at);
  const refused = native.netlinkApply(route, operations);
  const broken = native.nftApply(nft, nftChanges(gate, [], native.netlinkPort(nft)));
  if (broken.length > 0) throw new Error(`the gate was refused: ${JSON.stringify(broken)}`);
  const reading = native.netlinkRead(route);
  const laid = operations.filter((_, i) => !refused.some((failure) => failure.index === i));
  const model = modelOf(reading, gate);
  const questions = fc.sample(anyQuestion, { seed: seed + policy, numRuns: packets });
  for (const question of questions) {
    asked += 1;
    const answer = native.routeGet(route, question);
    for (const difference of differencesIn(model, question, answer))
      differs(`seed ${seed + policy} ${JSON.stringify(question)}: ${difference}; laid ${JSON.stringify(laid)}`);
  }
  // by owner: becoming another is a signal to every thread of this process, dearer than the packet
  const sends = questions.filter(sendable).slice(0, Math.ceil(packets / 4));
  let before = counters();
  for (const question of sends.sort((a, b) => (a.uid ?? 0) - (b.uid ?? 0))) {
    become(question.uid ?? 0);
    let found: string[] = [];
    // the kernel itself speaks now and then (MLD, router solicitations) and moves a counter: a real difference stays
    for (let attempt = 0; attempt < 3 && (attempt === 0 || found.length > 0); attempt++) {
      const error = await send(question);
      const now = counters();
      found = differencesIn(model, question, { error, hits: hitsSince(before, now) });
      before = now;
    }
    sent += 1;
    for (const difference of found)
      differs(`seed ${seed + policy} sent ${JSON.stringify(question)}: ${difference}; laid ${JSON.stringify(laid)}`);
  }
  become(0);
  const undo = native.netlinkRead(route);
  native.nftApply(nft, nftChanges([], haveTables(), native.netlinkPort(nft)));
  native.netlinkApply(route, [
    ...undo.rules
      .filter((r) => r.priority > 0 && r.priority < 1000)
      .map((rule) => ({ kind: "rule.del", rule }) as const),
    ...undo.routes
      .filter((r) => r.table === 50 || r.table === 51 || r.metric === 77)
      .map((r) => ({ kind: "route.del", route: r }) as const),
  ]);
  if ((policy + 1) % 100 === 0)
    process.stderr.write(
      `${policy + 1} policies, ${asked + sent} packets, ${differences.length} differences, ${Math.round(process.uptime())} s\n`,
    );
}
process.stdout.write(`${JSON.stringify({ policies, asked, sent, differences })}\n`);
process.exit(0);

/** Told at once: a long run need not be waited for. */
function differs(difference: string): void {
  differences.push(difference);
  if (differences.length <= 20) process.stderr.write(`${difference}\n`);
}

function haveTables(): HaveTable[] {
  return native.nftList(nft).flatMap((listed): HaveTable[] => {
    if (listed.family !== "inet" && listed.family !== "netdev") return [];
    const table = native.nftRead(nft, listed.family, listed.name);
    return table === null ? [] : [{ ...table, listed }];
  });
}

/** Packets by note of the line: every line of a random gate has a note of its own. */
function counters(): Map<string, number> {
  const lines = haveTables().flatMap((table) => table.chains.flatMap((chain) => chain.rules));
  return new Map(lines.flatMap((line) => ("foreign" in line ? [] : [[line.note, line.packets] as const])));
}

function hitsSince(before: ReadonlyMap<string, number>, now: ReadonlyMap<string, number>): string[] {
  return [...now].filter(([note, count]) => count > (before.get(note) ?? 0)).map(([note]) => note);
}

/** null: the kernel took it. */
async function send(question: Parameters<typeof sendable>[0]): Promise<string | null> {
  const family = question.to.includes(":") ? 6 : 4;
  const { fd } = native.udpOpen(family, question.sport ?? 40_000, question.mark ?? 0, question.from);
  const socket: Socket = createSocket(family === 4 ? "udp4" : "udp6");
  await new Promise<void>((done) => socket.bind({ fd }, done));
  const error = await new Promise<string | null>((done) => {
    socket.send("x", question.dport ?? 7777, question.to, (failed) => {
      done(failed === null ? null : ((failed as NodeJS.ErrnoException).code ?? "failed"));
    });
  });
  await new Promise<void>((done) => socket.close(done));
  return error;
}

/**
 * Who makes the socket counts for rules and nft; a later fchown for rules only (8.11: sk_uid and f_cred are two). This
 * process was started with rights that stay with it whoever it is (capabilities(7), SECBIT_NO_SETUID_FIXUP): a mark is
 * root's to set, and an owner's sockets have marks too.
 */
function become(uid: number): void {
  if (process.geteuid?.() !== uid) process.seteuid?.(uid);
}
