import fc from "fast-check";
import { expect, test } from "vitest";

import { parseConf } from "./conf.ts";

const key = (letter: string) => `${letter.repeat(42)}A=`;
const good = `[Interface]
PrivateKey = ${key("b")}
Address = 10.7.0.2/32, fd00:7::2/128
DNS = 10.7.0.1
MTU = 1420

[Peer]
PublicKey = ${key("c")}
PresharedKey = ${key("d")}
Endpoint = node.example.org:51820
AllowedIPs = 0.0.0.0/0, ::/0
PersistentKeepalive = 25
`;

test("a complete file becomes a node with its secrets", () => {
  expect(parseConf(good)).toEqual({
    ok: true,
    value: {
      privateKey: key("b"),
      presharedKey: key("d"),
      publicKey: key("c"),
      endpoint: { host: "node.example.org", port: 51820 },
      addresses: ["10.7.0.2/32", "fd00:7::2/128"],
      dns: ["10.7.0.1"],
      allowedIps: ["0.0.0.0/0", "::/0"],
      mtu: 1420,
      listenPort: null,
      keepaliveSeconds: 25,
      place: { city: null, country: null, latitude: null, longitude: null },
      ignored: [],
    },
  });
});

test("line ends of Windows, a byte order mark, comments, spaces and the case of keys do not matter", () => {
  const other = `\uFEFF# mine\r\n${good.replace(/\n/g, "  # said\r\n").replace("PrivateKey =", "privatekey=")}`;
  expect(parseConf(other)).toEqual(parseConf(good));
});

test("places are read from comments, nonsense in them is skipped", () => {
  const hints = "# City = Šiauliai\n# Country = xa\n# Latitude = 55.93\n# Longitude = 999\n";
  const answer = parseConf(hints + good);
  expect(answer.ok && answer.value.place).toEqual({
    city: "Šiauliai",
    country: "XA",
    latitude: 55.93,
    longitude: null,
  });
});

test.each([
  ["192.0.2.1:51820", "192.0.2.1"],
  ["[2001:DB8::1]:443", "2001:db8::1"],
  ["Node-1.Example.org.:1", "node-1.example.org."],
])("endpoint %s is understood", (text, host) => {
  const answer = parseConf(good.replace("node.example.org:51820", text));
  expect(answer.ok && answer.value.endpoint.host).toBe(host);
});

test("orders to wg-quick's routing change nothing and are listed", () => {
  const answer = parseConf(good.replace("MTU = 1420", "Table = off\nFwMark = 0x1\nDNS = lan.example"));
  expect(answer.ok && answer.value.ignored).toEqual([
    { line: 5, text: "Table" },
    { line: 6, text: "FwMark" },
    { line: 7, text: "lan.example" },
  ]);
});

const swap = (from: string, to: string) => good.replace(from, to);
test.each([
  ["an unknown section", swap("[Peer]", "[Pear]"), "conf.unknown-section", 7, "[Pear]"],
  ["an unknown key", swap("DNS", "DNSS"), "conf.unknown-key", 4, "DNSS"],
  ["a key of the other section", swap("DNS = 10.7.0.1", "AllowedIPs = ::/0"), "conf.unknown-key", 4, "AllowedIPs"],
  ["a name every object has", swap("DNS", "constructor"), "conf.unknown-key", 4, "constructor"],
  ["a key twice", swap("MTU = 1420", "MTU = 1420\nMTU = 1400"), "conf.duplicate-key", 6, "MTU"],
  ["a second interface", `${good}[Interface]\n`, "conf.duplicate-key", 13, "[Interface]"],
  ["a second peer", `${good}[Peer]\n`, "conf.too-many-peers", 13, "[Peer]"],
  ["words without a key", swap("MTU = 1420", "hello there"), "conf.bad-line", 5, "hello there"],
  ["a key before any section", `MTU = 1\n${good}`, "conf.bad-line", 1, "MTU"],
  ["a short key", swap(key("c"), "abc="), "conf.bad-key", 8, "PublicKey"],
  ["33 bytes", swap(key("c"), "c".repeat(44)), "conf.bad-key", 8, "PublicKey"],
  ["a key with loose bits", swap(key("c"), `${"c".repeat(42)}B=`), "conf.bad-key", 8, "PublicKey"],
  ["a key of zeros", swap(key("c"), `${"A".repeat(43)}=`), "conf.bad-key", 8, "PublicKey"],
  ["an address out of range", swap("10.7.0.2/32", "10.7.0.256/32"), "conf.bad-address", 3, "10.7.0.256/32"],
  ["an address too long", swap("10.7.0.2/32", "10.7.0.2/33"), "conf.bad-address", 3, "10.7.0.2/33"],
  ["an address no host has", swap("10.7.0.2/32", "127.0.0.1/32"), "conf.bad-address", 3, "127.0.0.1/32"],
  ["an empty address", swap("10.7.0.2/32", ""), "conf.bad-address", 3, ""],
  ["a DNS server that is nothing", swap("10.7.0.1", "10.7.0.1.9"), "conf.bad-address", 4, "10.7.0.1.9"],
  ["a bad prefix", swap("::/0", "::/129"), "conf.bad-prefix", 11, "::/129"],
  ["a number with a sign", swap("= 25", "= -1"), "conf.bad-number", 12, "-1"],
  ["a number too big", swap("= 25", "= 65536"), "conf.bad-number", 12, "65536"],
  ["MTU 0", swap("1420", "0"), "conf.bad-mtu", 5, "0"],
  ["MTU 575", swap("1420", "575"), "conf.bad-mtu", 5, "575"],
  ["an endpoint without a port", swap(":51820", ""), "conf.bad-endpoint", 10, "node.example.org"],
  ["an endpoint at port 0", swap(":51820", ":0"), "conf.bad-endpoint", 10, "node.example.org:0"],
  ["an endpoint almost an address", swap("node.example.org", "1.2.3"), "conf.bad-endpoint", 10, "1.2.3:51820"],
  [
    "an IPv6 endpoint without brackets",
    swap("node.example.org", "2001:db8::1"),
    "conf.bad-endpoint",
    10,
    "2001:db8::1:51820",
  ],
  ["IPv4 in brackets", swap("node.example.org", "[192.0.2.1]"), "conf.bad-endpoint", 10, "[192.0.2.1]:51820"],
  ["addresses that overlap", swap("10.7.0.2/32", "10.7.0.2/24, 10.7.0.9/32"), "conf.overlap", 3, "10.7.0.9/32"],
  ["a command", swap("MTU = 1420", "PostUp = touch /tmp/owned"), "conf.command", 5, "PostUp"],
  ["a command in any case", swap("MTU = 1420", "pREdOWN = reboot"), "conf.command", 5, "pREdOWN"],
  ["SaveConfig", swap("MTU = 1420", "SaveConfig = true"), "conf.command", 5, "SaveConfig"],
  ["no private key", swap(`PrivateKey = ${key("b")}\n`, ""), "conf.missing", 1, "PrivateKey"],
  ["no address", swap("Address = 10.7.0.2/32, fd00:7::2/128\n", ""), "conf.missing", 1, "Address"],
  ["no public key", swap(`PublicKey = ${key("c")}\n`, ""), "conf.missing", 7, "PublicKey"],
  ["no endpoint", swap("Endpoint = node.example.org:51820\n", ""), "conf.missing", 7, "Endpoint"],
  ["no allowed IPs", swap("AllowedIPs = 0.0.0.0/0, ::/0\n", ""), "conf.missing", 7, "AllowedIPs"],
  ["nothing", "", "conf.no-interface", 1, "[Interface]"],
  ["no peer", good.slice(0, good.indexOf("[Peer]")), "conf.no-peer", 1, "[Peer]"],
  ["a NUL", swap("MTU", "M\0TU"), "conf.not-text", 5, ""],
  ["bytes that are no UTF-8", swap("MTU", "M\uFFFDTU"), "conf.not-text", 5, ""],
])("%s is refused with its line and word", (_what, text, code, line, word) => {
  expect(parseConf(text)).toEqual({ ok: false, refusal: { code, data: { line, text: word } } });
});

test("more than 64 KiB are refused, counted as bytes", () => {
  const size = (pad: string) => parseConf(`${good}#${pad}`);
  expect(size("x".repeat(65_536))).toMatchObject({ refusal: { code: "conf.too-big" } });
  expect(size("é".repeat(32_768))).toMatchObject({ refusal: { code: "conf.too-big" } });
  expect(size("x".repeat(60_000)).ok).toBe(true);
});

test("no refusal quotes a secret", () => {
  const secret = "SECRETsecretSECRETsecretSECRETsecretSECRETsec";
  for (const line of [
    `PrivateKey = ${secret}`,
    `PresharedKey ${secret}`,
    secret,
    `${secret}=`,
    `[${secret}]`,
    `MTU = ${secret}`,
  ]) {
    const answer = parseConf(good.replace("MTU = 1420", line).replace(`PrivateKey = ${key("b")}\n`, ""));
    expect(answer.ok).toBe(false);
    expect(JSON.stringify(answer)).not.toContain(secret.slice(0, 20));
  }
});

test("whatever the text, it is answered and never throws", () => {
  const words = fc.constantFrom(...good.split(/[\s=,]+/), "=", ",", "[", "]", "#", "\n", "\0", "/", ":", "PostUp");
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.array(words, { maxLength: 60 }).map((w) => w.join(" ")),
  );
  const cut = fc
    .tuple(fc.nat(good.length), fc.nat(20), text)
    .map(([at, drop, put]) => good.slice(0, at) + put + good.slice(at + drop));
  fc.assert(
    fc.property(fc.oneof(text, cut), (t) => {
      const answer = parseConf(t);
      if (!answer.ok) expect(answer.refusal.code).toMatch(/^conf\./);
      else expect(answer.value.addresses.length).toBeGreaterThan(0);
    }),
    { numRuns: 3000 },
  );
});

test("the longest hostile files take milliseconds, not seconds", () => {
  const began = performance.now();
  for (const unit of ["10.0.0.0/8,", "#City = \t \t", "[", "a=", "::/0,::1/128,", "a.", "A", " "]) {
    for (const head of ["", "[Peer]\nAllowedIPs = ", "[Peer]\nEndpoint = ", "[Interface]\nAddress = ", "#City = "]) {
      parseConf(head + unit.repeat(Math.floor(64_000 / unit.length)));
    }
  }
  // 40 files of 64 kB: a backtracking pattern or a quadratic list would need minutes
  expect(performance.now() - began).toBeLessThan(4000);
});
