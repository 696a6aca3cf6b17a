import { describe, expect, test } from "vitest";

import { lanOf, outsideLinksOf, uplinksOf, waysOf } from "./uplinks.ts";
import { dockerHost, dualStack, hostile, machine, policy, prefix, pushed, twoUplinks } from "./sample-machines.ts";

describe("uplinks", () => {
  test("the best default route comes first, and a link without carrier after all that have one", () => {
    expect(waysOf(twoUplinks).map((w) => `${w.family} ${w.dev}`)).toEqual(["4 eth0", "4 wlan0", "6 eth0"]);
    const unplugged = {
      ...twoUplinks,
      links: twoUplinks.links.map((l) => (l.name === "eth0" ? { ...l, carrier: false } : l)),
    };
    expect(waysOf(unplugged)[0]?.dev).toBe("wlan0");
  });

  test("a status shows links with a default route, their gateways and what is honoured there", () => {
    expect(uplinksOf(dualStack)).toEqual([
      {
        name: "wlan0",
        addresses: ["192.168.1.23", "2001:db8:7:1:1a2b:3c4d:5e6f:7081", "fe80::1a2b:3c4d:5e6f:7081"],
        gateways: ["192.168.1.1", "fe80::1"],
        lan: ["192.168.1.0/24", "fe80::/64"],
      },
    ]);
    expect(uplinksOf(dockerHost).map((u) => u.name)).toEqual(["eth0"]);
  });

  test("a tunnel of ours, a link that is down and one with a name for many are no outside links", () => {
    const facts = machine([
      { name: "culvert0", type: 65534, addresses: ["10.64.0.2/32"] },
      { name: "eth*" },
      { name: "eth1" },
    ]);
    const down = { ...facts, links: facts.links.map((l) => (l.name === "eth1" ? { ...l, up: false } : l)) };
    expect(outsideLinksOf(down)).toEqual([]);
    expect(outsideLinksOf(facts).map((l) => l.name)).toEqual(["eth1"]);
  });

  test("an Ethernet link without address is one: it must be able to ask for a lease", () => {
    expect(outsideLinksOf(machine([{ name: "eth1" }])).map((l) => l.name)).toEqual(["eth1"]);
  });

  test("a bond or bridge brings its ports along, a port alone is no link", () => {
    const facts = machine([
      { name: "br0", kind: "bridge", addresses: ["192.168.1.23/24"], gateways: ["192.168.1.1"] },
      { name: "eth0", master: "br0", addresses: ["fe80::5/64"] },
    ]);
    expect(outsideLinksOf(facts).map((l) => [l.name, l.devices, l.inner])).toEqual([["br0", ["br0", "eth0"], false]]);
  });

  test("sources are IPv4 addresses and IPv6 prefixes, for temporary addresses come and go", () => {
    expect(outsideLinksOf(dualStack)[0]?.sources).toEqual(["192.168.1.23/32", "2001:db8:7:1::/64"]);
  });
});

describe("honoured networks", () => {
  const names = (facts: typeof hostile, lan = policy()) => lanOf(lan, facts).map((l) => `${l.prefix} ${l.link}`);

  test("a network that claims half of the internet gets nothing but link-local", () => {
    expect(names(hostile)).toEqual(["fe80::/64 wlan0"]);
  });

  test("what somebody pushed into main is not on-link, whatever it calls itself, but by approval", () => {
    const facts = machine(
      [{ name: "eth0", addresses: ["192.168.1.23/24"] }],
      [2, 3, 4, 9, 16].map((protocol) => pushed(`192.168.${protocol}.0/24`, "eth0", null, protocol)),
    );
    expect(names(facts)).toEqual(["192.168.1.0/24 eth0"]);
    const approved = [prefix("192.168.4.0/24")];
    expect(names(facts, policy({ lan: { allow: true, approved } }))).toEqual([
      "192.168.1.0/24 eth0",
      "192.168.4.0/24 eth0",
    ]);
  });

  test("what goes by a gateway is never on-link, not even by approval", () => {
    const eth0 = { name: "eth0", addresses: ["192.168.1.23/24"] };
    const facts = machine([eth0], [pushed("192.168.8.0/24", "eth0", "192.168.1.1", 2)]);
    const approved = [prefix("192.168.8.0/24")];
    expect(names(facts, policy({ lan: { allow: true, approved } }))).toEqual(["192.168.1.0/24 eth0"]);
  });

  test("another VPN's network is nobody's LAN", () => {
    expect(names(machine([{ name: "wg0", kind: "wireguard", type: 65534, addresses: ["10.9.0.2/24"] }]))).toEqual([]);
  });

  test("approval covers what lies in it, and only while the LAN is allowed at all", () => {
    const facts = machine([{ name: "eth0", addresses: ["198.51.100.40/25"] }]);
    const approved = [prefix("198.51.100.0/24")];
    expect(names(facts, policy({ lan: { allow: true, approved } }))).toEqual(["198.51.100.0/25 eth0"]);
    expect(names(facts, policy({ lan: { allow: false, approved } }))).toEqual([]);
  });

  test("blocked IPv6 is blocked on the LAN too", () => {
    expect(names(dualStack, policy({ ipv6: "block" }))).toEqual(["192.168.1.0/24 wlan0"]);
  });
});
