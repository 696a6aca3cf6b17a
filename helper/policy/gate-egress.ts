// Lock 3, the `netdev` egress chain of every device. It is the last look at a frame and the only one at raw frames, and
// it knows neither sockets nor conntrack: what leaves is known by its addresses, and by a mark only together with them
// (4.10-4.15: anybody with CAP_NET_RAW sets a mark). Ports decide refusals only, for just the first fragment has them
// (4.18): fragments of a packet refused here arrive at nobody's.
import { familyOf, hostPrefix } from "../contract/prefix.ts";
import type { Address, Family } from "../contract/prefix.ts";
import type { NftChain, NftRule } from "../plan/nft.ts";
import { linkName, marks } from "../plan/numbers.ts";
import { waysTo } from "./bypass.ts";
import { foreignLan, laneLines3, lateQueryLines, outsideQueries, sharedChains3 } from "./gate-lanes.ts";
import { discoveryOf, linkChain, sourceRouted3 } from "./gate-lines.ts";
import { families } from "./ground.ts";
import type { Ground } from "./ground.ts";
import { leavesBy } from "./lanes.ts";
import { arpSenders, arpTargets, dhcpOut, neighboursOut, noAddress } from "./link-local.ts";
import { askingLines, nameChains3, nameLines3 } from "./name-gate.ts";
import {
  accept,
  acceptCounted,
  arpDaddr,
  arpSaddr,
  daddr,
  drop,
  ethertype,
  jump,
  mark,
  oif,
  protocol,
  saddr,
  udp,
} from "./nft-words.ts";
import type { OutsideLink } from "./uplinks.ts";

export type EgressDevices = { readonly kind: "all" } | { readonly kind: "names"; readonly names: readonly string[] };

export function egressChains(ground: Ground, devices: EgressDevices): readonly NftChain[] {
  const egress: NftChain = {
    name: "egress",
    base: { type: "filter", hook: "egress", priority: 0, policy: "drop", devices },
    rules: [
      accept("this machine to itself", oif("lo")),
      ...(ground.adapter ? [accept("into the tunnel: lock 2 has judged", oif(linkName))] : []),
      ...innerPorts(ground).map((port) => accept("a port of a bridge inside this machine", oif(port))),
      ...sourceRouted3,
      ...nameLines3(ground),
      ...families.flatMap((family) =>
        ground.inside[family].map((own) => drop("inside addresses stay inside (P6)", saddr(own))),
      ),
      ...ground.links.flatMap((link, i) =>
        link.devices
          .filter((device) => !link.inner || device === link.name)
          .map((device) => jump(`out by ${link.name}`, linkChain(i), oif(device))),
      ),
      drop("nothing else leaves (P1)"),
    ],
  };
  return [
    ...sharedChains3(ground),
    ...nameChains3(ground),
    ...ground.links.map((link, i) => linkLines(ground, link, i)),
    egress,
  ];
}

/** IEEE 802: ARP, and 802.1X by which Wi-Fi renews its keys; neither can go further than the link. */
export const arpType = 0x0806;
const eapolType = 0x888e;

function linkLines(ground: Ground, link: OutsideLink, place: number): NftChain {
  const lan = ground.lan.filter((l) => l.link === link.name);
  // a link without addresses of a family sends from those of another link (an unnumbered uplink)
  const own = (family: Family) => {
    const all = (one: OutsideLink) => one.sources.filter((source) => familyOf(source) === family);
    return all(link).length > 0 ? all(link) : [...new Set(ground.links.flatMap(all))];
  };
  const ways = (address: Address) => waysTo(ground, address).filter((way) => way.dev === link.name);
  const reached = ground.endpoints.filter((e) => ways(e.address).length > 0);
  const engine = reached.flatMap((e) =>
    own(familyOf(e.address)).map((source) =>
      accept(
        "the engine's packets to the node",
        mark(marks.engine),
        saddr(source),
        daddr(hostPrefix(e.address)),
        protocol(udp),
      ),
    ),
  );
  const welcomed = ground.policy.welcome.length > 0;
  const lanes = laneLines3(ground, link, own);
  return {
    name: linkChain(place),
    base: null,
    rules: [
      ...(link.ethernet ? arpLines(ground, link) : []),
      ...(link.ethernet && !link.inner ? [accept("802.1X: the key of the link", ethertype(eapolType))] : []),
      ...engine,
      ...neighboursOut([link]),
      ...dhcpOut([link]),
      ...(welcomed
        ? link.sources.map((source) =>
            acceptCounted("answers lock 2 has marked (P6)", mark(marks.reply), saddr(source)),
          )
        : []),
      ...askingLines(ground, link, own),
      ...outsideQueries(ground, drop),
      ...lanes.near,
      ...lan.flatMap((l) => [
        ...lateQueryLines(ground, daddr(l.prefix)),
        acceptCounted("LAN: on-link and honoured (P4)", daddr(l.prefix)),
      ]),
      ...discoveryOf(ground, link).map((d) => acceptCounted(d.note, ...d.matches)),
      ...(ground.lanes.some((set) => leavesBy(ground, set, link))
        ? [...foreignLan(ground, link).map((m) => drop("LAN of another link (P4)", ...m)), ...lanes.all]
        : []),
    ],
  };
}

function arpLines(ground: Ground, link: OutsideLink): readonly NftRule[] {
  const asking = arpTargets(ground, link)?.map((target) => [arpDaddr(target)]) ?? [[]];
  const note = "ARP: own senders only (P7)";
  return arpSenders(link).flatMap((sender) => {
    // a probe asks for an address that is to become its own
    const targets = sender === noAddress ? [[]] : asking;
    return targets.map((target) => accept(note, ethertype(arpType), arpSaddr(sender), ...target));
  });
}

export function innerPorts(ground: Ground): readonly string[] {
  return ground.links.filter((link) => link.inner).flatMap((link) => link.devices.filter((d) => d !== link.name));
}
