// Steps of a diff, carried out: sysctls first, as the diff has them, then what netlink can do, in one call. A refusal throws,
// but for those after which the next reading decides.
import type { Operation } from "../plan/diff.ts";
import { printOperation } from "../plan/print.ts";
import { KernelError } from "./kernel.ts";
import type { Failure, NetlinkOperation } from "./native.ts";
import { asked } from "./read.ts";
import { writeSysctl } from "./sysctl.ts";

/** What was to go is gone already: a link takes its addresses and routes along, a nexthop its routes. */
const gone: readonly string[] = ["ESRCH", "ENOENT", "EADDRNOTAVAIL", "ENODEV"];

export function carryOut(
  operations: readonly Operation[],
  send: (netlink: readonly NetlinkOperation[]) => readonly Failure[],
): void {
  const netlink: NetlinkOperation[] = [];
  for (const operation of operations) {
    if (operation.kind === "sysctl.set") writeSysctl(operation.key, operation.value);
    else netlink.push(operation);
  }
  const refused = asked("sending", "routing changes", () => send(netlink));
  for (const { index, code, detail } of refused) {
    const operation = netlink[index];
    if (operation !== undefined && !isFine(operation, code))
      throw new KernelError("doing", printOperation(operation), code, detail);
  }
}

/** Refusals after which the next reading decides. */
function isFine(operation: NetlinkOperation, code: string): boolean {
  // A rule without prefixes is "there already" beside one that only has a prefix more (fib4_rule_compare): where that one
  // is about to go, the next round adds it.
  if (operation.kind === "rule.add") return code === "EEXIST";
  return operation.kind.endsWith(".del") && gone.includes(code);
}
