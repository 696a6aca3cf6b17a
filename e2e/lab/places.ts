// Addresses of the lab's internet that tests and the demo speak of. Outside ones are documentation prefixes (RFC 5737,
// RFC 3849), inside ones private (RFC 1918, RFC 4193).

export const places = {
  laptop: { uplink: "enp3s0", ipv4: "10.40.0.10", mac: "02:40:00:00:00:10" },
  second: { uplink: "enp9s0", ipv4: "10.41.0.10", mac: "02:41:00:00:00:10", gateway: "10.41.0.1" },
  home: {
    ipv4: "198.51.100.73",
    gateway: "10.40.0.1",
    mac: "02:40:00:00:00:01",
    lan: "10.40.0.0/24",
    lan6: "fd00:40::/64",
    prefix6: "2001:db8:73::/64",
    /** TCP and UDP on the home's outside address that the router hands to the laptop. */
    forwardedPort: 8443,
  },
  hotspot: { ipv4: "198.51.100.130", mac: "02:41:00:00:00:01", prefix6: "2001:db8:130::/64" },
  printer: { ipv4: "10.40.0.20", ipv6: "fd00:40::20" },
  nas: { ipv4: "10.40.0.30", ipv6: "fd00:40::30" },
  isp: { ipv4: "198.51.100.1", ipv6: "2001:db8::1" },
  resolver: { ipv4: "198.51.100.53", ipv6: "2001:db8::53" },
  authority: { ipv4: "192.0.2.53", ipv6: "2001:db8:53::53", zone: "beacon.example" },
  web: { ipv4: "192.0.2.10", ipv6: "2001:db8:10::10", name: "web.example" },
  /** The same machine on a second address of each family. */
  news: { ipv4: "192.0.2.20", ipv6: "2001:db8:10::20", name: "news.example" },
  backup: { ipv4: "192.0.2.144", ipv6: "2001:db8:144::144", name: "backup.example.net" },
} as const;
