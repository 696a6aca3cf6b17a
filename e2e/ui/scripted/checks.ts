// The leak checks as the scripted helper answers them.
import type { LeakCheck } from "../../../helper/contract/status.ts";
import type { Scenario } from "./scenarios.ts";

export function checksOf(up: boolean, at: number, { beside, watched }: Scenario): LeakCheck[] {
  const check = (
    name: LeakCheck["name"],
    verdict: LeakCheck["verdict"],
    code: string,
    data: LeakCheck["evidence"]["data"] = {},
  ): LeakCheck => ({
    name,
    verdict: up ? verdict : "not-checked",
    evidence: up ? { code, data } : { code: "not-connected", data: {} },
    at,
  });
  const leaks = beside > 0;
  const canaries = (name: LeakCheck["name"], tried: number): LeakCheck =>
    !watched
      ? check(name, "not-checked", "wire-not-watched")
      : leaks
        ? check(name, "leaks", "canaries-seen", { seen: 1, tried })
        : check(name, "holds", "canaries-held", { tried, refused: tried - 2 });
  return [
    check("address-ipv4", "holds", "seen-as", { address: "203.0.113.9" }),
    check("address-ipv6", "holds", "seen-as", { address: "2001:db8:41::9" }),
    check("dns", leaks ? "leaks" : "holds", "asked-by", { asker: leaks ? "198.51.100.21" : "203.0.113.9" }),
    check("routes", "holds", "as-planned", { differences: 0, rules: 14, routes: 9 }),
    canaries("bound-socket", 6),
    canaries("raw-frames", 4),
  ];
}
