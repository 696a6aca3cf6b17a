// Floods that go around what a VPN usually looks at: frames that no IP hook sees, packets whose visible destination is a
// lie, groups that the kernel answers before any rule.
import { strangeFrame, udpFrame } from "./craft.ts";
import { floodRate, query, type Stream } from "./flood.ts";
import { places } from "./places.ts";

const { laptop, home, web, resolver, printer } = places;

/** AF_PACKET, to the router's hardware address; also without the queue, tagged, and of a type of its own. */
export function rawFrames(device: string = laptop.uplink, rate = floodRate): readonly Stream[] {
  const macs = { fromMac: laptop.mac, toMac: home.mac };
  const dns = Buffer.from(query("raw.beacon.example"), "hex");
  const from4 = { ...macs, source: laptop.ipv4 };
  const from6 = { ...macs, source: "2001:db8:73::bad" };
  const frames: Record<string, string> = {
    "raw-udp4": udpFrame({ ...from4, destination: web.ipv4, port: 9 }),
    "raw-udp6": udpFrame({ ...from6, destination: web.ipv6, port: 9 }),
    "raw-dns4": udpFrame({ ...from4, destination: resolver.ipv4, port: 53, payload: dns }),
    "raw-dns6": udpFrame({ ...from6, destination: resolver.ipv6, port: 53, payload: dns }),
    "raw-tagged": udpFrame({ ...from4, destination: web.ipv4, port: 9, vlan: 7 }),
    "raw-strange": strangeFrame(home.mac, laptop.mac),
    // the node's endpoint, but not the engine's words
    "raw-endpoint": udpFrame({ ...from4, destination: "203.0.113.9", port: 51820 }),
  };
  return Object.entries(frames).flatMap(([name, hex]) => [
    { name, kind: "frame", device, hex, rate },
    { name: `${name}-bypass`, kind: "frame", device, hex, rate, bypassQdisc: true },
  ]);
}

/** First hop on the LAN, which policy may allow; the real destination is public (kernel finding K). */
export function sourceRouted(rate = floodRate): readonly Stream[] {
  const way4 = { hop: printer.ipv4 };
  const way6 = { hop: printer.ipv6 };
  return [
    { name: "lsrr-udp", kind: "udp", to: web.ipv4, port: 9, rate, way: way4 },
    { name: "lsrr-icmp", kind: "echo", to: web.ipv4, rate, way: way4 },
    { name: "routing-header-udp", kind: "udp", to: web.ipv6, port: 9, rate, way: way6 },
    { name: "routing-header-icmp", kind: "echo", to: web.ipv6, rate, way: way6 },
  ];
}

/** The same as whole frames, by way of the router, which would pass them on to the printer: lock 3 alone sees them. */
export function sourceRoutedFrames(device: string = laptop.uplink, rate = floodRate): readonly Stream[] {
  const raw = { fromMac: laptop.mac, toMac: home.mac, source: laptop.ipv4, port: 9 };
  const hex = udpFrame({ ...raw, destination: printer.ipv4, end: web.ipv4 });
  return [{ name: "raw-lsrr", kind: "frame", device, hex, rate }];
}

/** Groups that are not discovery on the LAN, with the uplink named and without. */
export function multicast(device: string = laptop.uplink, rate = floodRate): readonly Stream[] {
  const way = { multicastIf: device };
  return [
    { name: "group4", kind: "udp", to: "239.1.2.3", port: 5000, rate, way },
    { name: "group6-site", kind: "udp", to: "ff05::1:3", port: 5000, rate, way },
    { name: "group6-global", kind: "udp", to: "ff0e::1234", port: 5000, rate, way },
    { name: "group6-unnamed", kind: "udp", to: "ff0e::1234", port: 5000, rate },
    { name: "broadcast4", kind: "udp", to: "224.0.0.1", port: 5000, rate, way },
  ];
}
