// The lab keeps its own promises: what a wire is told it does, what a node says is true, and nothing is left of a lab,
// however it ends.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { afterAll, beforeAll, expect, test } from "vitest";

import { enterCommand } from "../lab/enter.ts";
import { flood, query } from "../lab/flood.ts";
import { houseAt, seenAt } from "../lab/house.ts";
import { internet, nodeIn } from "../lab/internet.ts";
import { clientKeys, confOf } from "../lab/keys.ts";
import { type Lab, openLab } from "../lab/lab.ts";
import type { Machine } from "../lab/machine.ts";
import { places } from "../lab/places.ts";
import { until } from "../lab/process.ts";

const heldLab = fileURLToPath(new URL("held-lab.ts", import.meta.url));
const enterScript = fileURLToPath(new URL("../lab/enter.ts", import.meta.url));
let lab: Lab;
let laptop: Machine;
beforeAll(async () => {
  lab = await openLab(internet({ cities: ["Harbourton", "Kestrel Bay"] }));
  laptop = lab.machine("laptop");
});
afterAll(() => lab.close());

test("web hosts tell their caller its address, over IPv4 the router's, over IPv6 its own", async () => {
  const four = await json<{ address: string }>(laptop, `http://${places.web.ipv4}/json`);
  const six = await json<{ address: string }>(laptop, `http://[${places.web.ipv6}]/json`);
  expect(four.address).toBe(places.home.ipv4);
  expect(six.address).toMatch(/^2001:db8:73:/);
  const page = await laptop.exec(["curl", "-s", `http://${places.news.name}/`]);
  expect(page.stdout).toContain(`<b id="address">`);
});

test("a stock node carries a stock tunnel, and its control side says how the internet sees the caller", async () => {
  const node = nodeIn("Harbourton");
  await tunnel(laptop, confOf(node), node.inside4.replace(/1$/, "2"));
  const beacon = `manual.${places.authority.zone}`;
  expect(await json(laptop, `http://${node.inside4}:7600/whoami`)).toEqual({
    address: node.address4,
    load: node.load,
    beacon: places.authority.zone,
  });
  await laptop.exec(`ip route add ${places.web.ipv4} dev wg9`);
  expect(await json(laptop, `http://${places.web.ipv4}/json`)).toMatchObject({ address: node.address4 });
  const ask = { name: "q", kind: "udp", to: node.inside4, port: 53, rate: 1, count: 1, hex: query(beacon) } as const;
  await flood(laptop, [ask], 1);
  const asked = await until("the question at the authority", async () => {
    const told = await json<{ asked: { from: string }[] }>(laptop, `http://${node.inside4}:7600/beacon?name=${beacon}`);
    return told.asked[0];
  });
  expect(asked.from).toBe(node.address4);
  await laptop.exec("ip link del wg9");
});

test("a wire delays, loses, swallows big packets and loses its carrier when it is told to", async () => {
  const street = lab.wire("street");
  const ping = (size: number, count: number): Promise<string> =>
    laptop
      .exec(["ping", "-c", String(count), "-i", "0.02", "-W", "1", "-M", "do", "-s", String(size), places.web.ipv4], {
        mayFail: true,
      })
      .then((result) => result.stdout);

  await street.shape({ delayMs: 60 });
  expect(Number(/min\/avg\/max\/mdev = ([\d.]+)/.exec(await ping(56, 2))?.[1])).toBeGreaterThan(120);
  await street.shape({ blackHole: 1300 });
  expect(await ping(1200, 1)).toContain(" 0% packet loss");
  expect(await ping(1400, 1)).toContain("100% packet loss");
  await street.shape({ loss: 1 }, "router");
  expect(await ping(56, 1)).toContain("100% packet loss");
  await street.shape({});
  expect(await ping(1400, 1)).toContain(" 0% packet loss");

  await lab.wire("home").carrier("laptop", false);
  await until("no carrier", async () =>
    (await laptop.exec(`ip link show ${places.laptop.uplink}`)).stdout.includes("NO-CARRIER") ? true : undefined,
  );
  await lab.wire("home").carrier("laptop", true);
  await until("carrier again", async () => ((await ping(56, 1)).includes(" 0% packet loss") ? true : undefined));
});

test("a device is born when it is plugged in and gone when it is pulled out, and its record goes on", async () => {
  const second = lab.wire("second");
  const has = async (): Promise<boolean> =>
    (await laptop.exec("ls /sys/class/net")).stdout.includes(places.second.uplink);
  expect(await has()).toBe(false);
  await second.plug("laptop");
  expect(await has()).toBe(true);
  await laptop.exec(
    `ip link set ${places.second.uplink} up && ip addr add ${places.second.ipv4}/24 dev ${places.second.uplink}`,
  );
  await laptop.exec(`curl -s --interface ${places.second.uplink} http://${places.second.gateway}/`, { mayFail: true });
  const { frames } = (await second.totals())["laptop"] ?? { frames: 0 };
  expect(frames).toBeGreaterThan(0);
  await second.unplug("laptop");
  expect(await has()).toBe(false);
  await second.plug("laptop");
  expect((await second.totals())["laptop"]?.frames).toBeGreaterThanOrEqual(frames);
  await second.unplug("laptop");
});

// inside a user namespace there is only one account
const accounts = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/)[2] !== "1";
test.runIf(accounts)("a lab opens without root, in a user namespace", async () => {
  const stranger = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
  // a stranger may not look into the folder that this checkout lies in
  const place = mkdtempSync(join(tmpdir(), "culvert-house-"));
  execFileSync("sh", ["-ec", houseAt(place)]);
  const node = seenAt(place, process.execPath);
  const argv = [...stranger, node, seenAt(place, enterScript), node, seenAt(place, heldLab)];
  const [first, ...rest] = argv as [string, ...string[]];
  const env = { ...process.env, HELD_LAB: "user" };
  const child = spawn(first, rest, { stdio: ["ignore", "pipe", "inherit"], cwd: place, env });
  const said = await new Promise<string>((done) => {
    child.stdout.once("data", (chunk: Buffer) => {
      done(chunk.toString());
    });
    child.once("exit", (code) => {
      done(`ended with ${code}`);
    });
  });
  expect(said).toBe(`open, a page tells ${places.home.ipv4}\n`);
  child.kill("SIGKILL");
  await until("nothing left", () => (members("user") === 0 ? true : undefined), 5000);
  // on a busy machine the last process is a moment longer in there than it is to be seen
  await until("unmounted", () => unmounted(place), 5000);
  rmdirSync(place);
});

test("nothing is left of a lab whose first, outermost or innermost process is killed", async () => {
  const ways = [
    { argv: [process.execPath, enterScript, process.execPath, heldLab], signal: "SIGKILL" },
    { argv: [process.execPath, enterScript, process.execPath, heldLab], signal: "SIGTERM" },
    { argv: enterCommand([process.execPath, heldLab]), signal: "SIGKILL" },
  ] as const;
  for (const [index, way] of ways.entries()) {
    const name = `held-${index}`;
    const [first, ...rest] = way.argv as [string, ...string[]];
    const child = spawn(first, rest, { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, HELD_LAB: name } });
    // killed in the middle of opening, and when it stands
    if (index === 1) await until("a machine of the lab", () => (members(name) > 4 ? true : undefined));
    else await new Promise((open) => child.stdout.once("data", open));
    expect(members(name)).toBeGreaterThan(4);
    child.kill(way.signal);
    await until(`nothing left after ${way.signal}`, () => (members(name) === 0 ? true : undefined), 5000);
  }
});

/** undefined: somebody is still in there. */
function unmounted(place: string): true | undefined {
  return spawnSync("umount", ["--recursive", place]).status === 0 ? true : undefined;
}

/** Processes whose environment says that they belong to this lab. */
function members(name: string): number {
  const belongs = (pid: string): boolean => {
    try {
      return readFileSync(`/proc/${pid}/environ`, "utf8").includes(`HELD_LAB=${name}\0`);
    } catch {
      return false;
    }
  };
  return readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && belongs(pid)).length;
}

async function json<T>(machine: Machine, url: string): Promise<T> {
  return JSON.parse((await machine.exec(["curl", "-s", "-m", "5", url])).stdout) as T;
}

async function tunnel(machine: Machine, conf: string, address: string): Promise<void> {
  expect(conf).toContain(clientKeys(1).privateKey);
  const plain = conf.replace(/^(Address|DNS) = .*\n/gm, "");
  await machine.exec("cat > /run/wg9.conf", { input: plain });
  await machine.exec(
    `wireguard-go wg9 >/dev/null 2>&1 </dev/null
     wg setconf wg9 /run/wg9.conf && ip addr add ${address}/24 dev wg9 && ip link set wg9 up`,
  );
}
