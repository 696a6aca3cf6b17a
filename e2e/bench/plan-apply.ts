// The half of `plan` that changes a machine, inside an empty network namespace of its own: a plan with direct prefixes is
// compiled and applied with the addon, its uplink is exchanged, and the same links, routes and rules are laid once more by
// `ip -batch`. Prints one JSON object.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Address, addressOf, type Prefix } from "../../helper/contract/prefix.ts";
import { makeUplink, sh } from "../../helper/kernel/apart.ts";
import type { Applied } from "../../helper/kernel/kernel.ts";
import { type LinuxKernel, openLinux } from "../../helper/kernel/linux.ts";
import { loadNative } from "../../helper/kernel/native.ts";
import { nexthops } from "../../helper/plan/numbers.ts";
import type { Plan } from "../../helper/plan/plan.ts";
import { compile, compileNexthops } from "../../helper/policy/compile.ts";
import type { Request } from "../../helper/policy/ground.ts";
import { node } from "../../helper/policy/sample-machines.ts";
import type { Deps, Live } from "../../helper/tunnel/live.ts";
import { watchMachine } from "../../helper/tunnel/watch.ts";
import { manyPrefixes } from "./plan-ground.ts";

const [prefixes = 1, rounds = 1] = process.argv.slice(2).map(Number);
const policy = manyPrefixes(prefixes);
const folder = mkdtempSync(join(tmpdir(), "culvert-bench-plan-"));
const resolvConf = join(folder, "resolv.conf");
writeFileSync(resolvConf, "nameserver 192.0.2.53\n");
makeUplink();
const native = loadNative("../../native/addon/culvert.node");
const route = native.netlinkOpen();
const kernel = await openLinux({
  native,
  ...{ stateDir: folder, runDir: folder, resolvConf },
});

const found = {
  apply: [] as number[],
  object: [] as number[],
  flows: [] as number[],
  whole: [] as number[],
  wholeCommands: [] as number[],
  batch: [] as number[],
};
for (let round = 0; round < rounds; round++) {
  const laid = await timed(found.apply, () => connect(kernel));
  await timed(found.object, async () => {
    moveSet("192.0.2.9");
  });
  moveSet("192.0.2.1");
  await timed(found.flows, () => followed(laid, () => sh("ip route replace default via 192.0.2.9 dev up0")));
  const moved = await timed(found.whole, () => connect(kernel));
  found.wholeCommands.push(moved.commands.length);
  sh("ip route replace default via 192.0.2.1 dev up0");
  await kernel.undo();
  const [four, six] = batchesOf(laid.commands);
  sh("sysctl -qw net.ipv4.nexthop_compat_mode=0; ip tuntap add mode tun name culvert0");
  await timed(found.batch, async () => {
    execFileSync("ip", ["-batch", four]);
    execFileSync("ip", ["-6", "-batch", six]);
  });
  // takes its time with all the routes of the objects, longer than `sh` waits
  execFileSync("/bin/sh", ["-c", "ip link del culvert0; ip nexthop flush > /dev/null 2>&1 || true"]);
  await kernel.undo();
}
kernel.close();
rmSync(folder, { recursive: true });
process.stdout.write(`${JSON.stringify(found)}\n`);

/** What the helper does when it connects: reads the machine, compiles, applies, reads back. */
async function connect(to: LinuxKernel): Promise<Applied & { readonly plan: Plan }> {
  const answer = compile({ policy, facts: await to.read(), exit: node, state: "connected" });
  if (!answer.ok) throw new Error(answer.refusal.code);
  return { ...(await to.apply(answer.value)), plan: answer.value };
}

/** From a new default route until the helper's watch has moved what leads the set, as the kernel then answers. */
async function followed({ plan }: { readonly plan: Plan }, change: () => void): Promise<void> {
  let moved: () => void = () => undefined;
  const done = new Promise<void>((resolve) => (moved = resolve));
  const lead: LinuxKernel["lead"] = async (nexthops) => {
    const commands = await kernel.lead(nexthops);
    if (gatewayOfSet() === "192.0.2.9") moved();
    // all else that follows is the next row
    return new Promise(() => commands);
  };
  const live = { applied: { node: "", exit: node, plan, alone: true, names: [] }, uplinks: [] } as unknown as Live;
  const deps = {
    ...{
      kernel: { ...kernel, lead },
      store: { policy: () => policy },
      lists: { of: () => ({}) },
      names: { known: () => [] },
    },
    nexthops: (input: Omit<Request, "state">) => compileNexthops({ ...input, state: "connected" }),
    ...{ uplinks: () => [], wire: { links: () => undefined }, log: () => undefined },
  } as unknown as Deps;
  const nobody = { touched: () => undefined, happen: () => undefined, publish: () => undefined };
  const close = watchMachine(deps, live, nobody);
  // a watch alone keeps no process alive
  const alive = setInterval(() => undefined, 1000);
  change();
  await done;
  clearInterval(alive);
  close();
}

/** One object for all routes of the set; over when the kernel sends one of their addresses by the new gateway. */
function moveSet(gateway: string): void {
  const to = { kind: "dev", dev: "up0", via: gateway as Address, onlink: true } as const;
  native.netlinkApply(route, [{ kind: "nexthop.replace", nexthop: { id: nexthops.direct[4], family: 4, to } }]);
  const now = gatewayOfSet();
  if (now !== gateway) throw new Error(`the set goes by ${now}, not by ${gateway}`);
}

function gatewayOfSet(): string {
  const [prefix = ""] = policy.rules[0]?.match.destination ?? [];
  const answer = native.routeGet(route, { to: addressOf(prefix as Prefix) });
  return answer.kind === "route" ? (answer.route.legs[0]?.via ?? "nobody") : answer.code;
}

/** Files for `ip -batch`, which takes one family each. */
function batchesOf(commands: readonly string[]): readonly [string, string] {
  const lines = commands.filter((c) => c.startsWith("ip ") && !c.startsWith("ip tuntap"));
  const write = (name: string, own: readonly string[]): string => {
    const file = join(folder, name);
    writeFileSync(file, own.map((line) => `${line.replace(/^ip (-6 )?/, "")}\n`).join(""));
    return file;
  };
  const isSix = (line: string): boolean => line.startsWith("ip -6 ");
  return [
    write(
      "batch4",
      lines.filter((line) => !isSix(line)),
    ),
    write("batch6", lines.filter(isSix)),
  ];
}

async function timed<T>(into: number[], work: () => Promise<T>): Promise<T> {
  const began = performance.now();
  const done = await work();
  into.push(performance.now() - began);
  return done;
}
