// Needs root: every golden plan is carried out by the machine's own `ip`, `sysctl` and `nft`, each in a network
// namespace that vanishes with its process. Without rights these tests fail; they never pass by being skipped.
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { describe, expect, test } from "vitest";

import type { Facts } from "../plan/facts.ts";
import { printPlan } from "../plan/print.ts";
import { compile } from "./compile.ts";
import { samplePlans } from "./sample-plans.ts";

const run = promisify(execFile);

describe("golden plans on this machine's ip and nft", () => {
  test.each(Object.entries(samplePlans))("%s is accepted", async (_name, sample) => {
    const answer = compile(sample);
    if (!answer.ok) throw new Error(JSON.stringify(answer.refusal));
    const text = printPlan(answer.value);
    const [rules4, rules6, tables] = (await inNamespace([...stage(sample.facts), ...carryOut(text), ...report])).split(
      "--\n",
    );
    const planned = (family: 4 | 6) => answer.value.rules.filter((r) => r.family === family).length;
    expect(lines(rules4)).toBe(planned(4));
    expect(lines(rules6)).toBe(planned(6));
    expect(lines(tables)).toBe(answer.value.nft.length);
  });

  test("a text that nft does not take fails here", async () => {
    const broken = ["nft -c -f - <<'EOF'", "table inet culvert { chain output { no such words } }", "EOF"];
    await expect(inNamespace(broken)).rejects.toThrow(/syntax error/);
  });
});

const report = [
  "ip rule show protocol kernel | grep -c '^4' || true",
  "echo --",
  "ip -6 rule show protocol kernel | grep -c '^4' || true",
  "echo --",
  "nft list tables | grep -c culvert || true",
];

/** The links of the sample machine, as far as the plan's commands ask for them. */
function stage(facts: Facts): readonly string[] {
  const links = facts.links.filter((l) => l.name !== "lo");
  return [
    "ip link set lo up",
    ...links.map((l) =>
      l.kind === "bridge"
        ? `ip link add ${l.name} type bridge`
        : `ip link add ${l.name} type veth peer name far${l.index}`,
    ),
    ...links.filter((l) => l.master !== 0).map((l) => `ip link set ${l.name} master ${masterOf(facts, l.master)}`),
    ...links.map((l) => `ip link set ${l.name} up`),
    ...facts.addresses.map((a) => `ip addr add ${a.address} dev ${a.link}${a.address.includes(":") ? " nodad" : ""}`),
    // the plan's own sysctl needs conntrack, which the first ct rule brings
    "nft add table inet t; nft 'add chain inet t c { type filter hook input priority 0; }'; nft add rule inet t c ct state new accept",
    "nft delete table inet t",
  ];
}

function masterOf(facts: Facts, index: number): string {
  return facts.links.find((l) => l.index === index)?.name ?? "";
}

/** The printed plan as a shell script: only systemd-resolved is not there to be told. */
function carryOut(text: string): readonly string[] {
  const plain = text.split("\n").filter((line) => !line.startsWith("resolvectl"));
  const first = plain.findIndex((line) => line.startsWith("table "));
  if (first < 0) return plain;
  const end = plain.lastIndexOf("}");
  const gate = plain.slice(first, end + 1);
  const load = (how: string) => [`nft ${how} <<'EOF'`, ...gate, "EOF"];
  return [...plain.slice(0, first), ...load("-c -f -"), ...load("-f -"), ...plain.slice(end + 1)];
}

async function inNamespace(script: readonly string[]): Promise<string> {
  const { stdout } = await run("unshare", ["--net", "sh", "-ec", script.join("\n")], { timeout: 20_000 });
  return stdout.replaceAll(/^net\..*\n/gm, "");
}

function lines(text: string | undefined): number {
  return Number(text ?? "NaN");
}
