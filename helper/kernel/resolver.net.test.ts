// Needs root and namespaces of its own. The cases of resolver.cases.ts against the real systemd-resolved, Debian's
// resolvconf and openresolv, with real questions answered at the other end of real links; and what only they can show.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import { describe, expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import { asking, type MarkedSockets } from "../names/ask.ts";
import { openStub } from "../names/stub.ts";
import { linkName, stubAddress } from "../plan/numbers.ts";
import type { PlanDns } from "../plan/plan.ts";
import { sh } from "./apart.ts";
import {
  type Answering,
  answerNames,
  layOver,
  packages,
  type RealResolved,
  startResolved,
  whoIsAsked,
} from "./real-resolvers.ts";
import { type CaseResolver, resolverCases } from "./resolver.cases.ts";
import { entryFor, readResolver, setResolver, undoResolver } from "./resolver.ts";

const own = "192.0.2.1" as Address;
const given = ["10.99.0.1", "10.99.0.2"] as [Address, Address];
const resolvConf = "/etc/resolv.conf";

/** systemd-resolved runs under a user of its own; a user namespace made without root has one account. */
const accounts = readFileSync("/proc/self/uid_map", "utf8").trim().split(/\s+/)[2] !== "1";

describe.skipIf(packages === "" || !accounts)("the real ones", () => {
  resolverCases("systemd-resolved", resolvedMachine());
  resolverCases("Debian's resolvconf", resolvconfMachine("resolvconf"));
  resolverCases("openresolv", resolvconfMachine("openresolv"));

  test("systemd-resolved is recognised while it runs, and not by the socket file that it leaves", async () => {
    const machine = resolvedMachine();
    await machine.open();
    try {
      expect(readResolver(resolvConf)).toMatchObject({
        resolvedRunning: true,
        // its package brings a resolvconf that is resolvectl
        resolvconf: "none",
        resolvConf: { target: "/run/systemd/resolve/stub-resolv.conf", servers: ["127.0.0.53"], immutable: false },
      });
      await machine.daemon().stop();
      expect(existsSync("/run/systemd/resolve/io.systemd.Resolve")).toBe(true);
      expect(readResolver(resolvConf).resolvedRunning).toBe(false);
    } finally {
      await machine.close();
    }
  });

  test("systemd-resolved started anew asks whom it was told to; stopped, there is nothing to undo", async () => {
    const machine = resolvedMachine();
    await machine.open();
    try {
      await machine.addLink();
      const entry = entryFor(dnsBy("resolved"), null);
      await setResolver(entry, true);
      await machine.daemon().restart();
      expect(await whoIsAsked()).toBe(given[0]);
      await machine.daemon().stop();
      expect(await undoResolver(entry)).toEqual([]);
    } finally {
      await machine.close();
    }
  });

  test("systemd-resolved asks our own resolver on its loopback address, and waits until a name's addresses are in place", async () => {
    const machine = resolvedMachine();
    await machine.open();
    const placed: string[] = [];
    const stub = await openStub(stubAddress, 53, {
      servers: () => [{ address: given[0], from: null, mark: null }],
      isMeant: () => true,
      place: async (_name, found) => {
        placed.push(...found.map(({ address }) => address));
        return true;
      },
      // nothing is asked under a mark here
      ask: asking(unmarked),
      log: () => undefined,
    });
    try {
      await machine.addLink();
      await setResolver(entryFor({ by: "resolved", link: linkName, servers: [stubAddress] }, null), true);
      expect(await whoIsAsked()).toBe(given[0]);
      expect(placed).toContain(given[0]);
    } finally {
      await stub.close();
      await machine.close();
    }
  });

  test("systemd-resolved refuses the loopback link, and its words are told", async () => {
    const machine = resolvedMachine();
    await machine.open();
    try {
      const entry = entryFor({ by: "resolved", link: "lo", servers: given }, null);
      await expect(setResolver(entry, true)).rejects.toMatchObject({ name: "KernelError" });
    } finally {
      await machine.close();
    }
  });

  test("Debian's resolvconf is recognised, unless its updates are switched off", async () => {
    const machine = resolvconfMachine("resolvconf");
    await machine.open();
    try {
      const target = "/run/resolvconf/resolv.conf";
      const found = { resolvedRunning: false, resolvconf: "debian", resolvConf: { target, servers: [own] } };
      expect(readResolver(resolvConf)).toMatchObject(found);
      sh("resolvconf --disable-updates");
      expect(readResolver(resolvConf).resolvconf).toBe("none");
    } finally {
      await machine.close();
    }
  });

  test("openresolv is recognised, also where Debian's resolvconf has left its settings", async () => {
    const machine = resolvconfMachine("openresolv");
    await machine.open();
    try {
      sh("mkdir -p /etc/resolvconf/update.d");
      expect(readResolver(resolvConf)).toMatchObject({ resolvedRunning: false, resolvconf: "openresolv" });
    } finally {
      await machine.close();
    }
  });
});

function dnsBy(by: "resolved" | "resolvconf"): PlanDns {
  return { by, link: linkName, servers: [...given] };
}

function resolvedMachine(): CaseResolver & { daemon(): RealResolved } {
  const ground = groundOf(["systemd-resolved", "libsystemd-shared"]);
  let daemon: RealResolved | undefined;
  return {
    ...ground,
    by: "resolved",
    daemon() {
      if (daemon === undefined) throw new Error("not open");
      return daemon;
    },
    async open() {
      await ground.open();
      daemon = await startResolved();
      sh(`resolvectl dns up0 ${own}`);
    },
    asked: whoIsAsked,
    // what it was told of each link, and what it keeps for its next start
    told: () =>
      sh("resolvectl dns && resolvectl domain && resolvectl default-route").replaceAll(/Link \d+/g, "Link") +
      keptIn("/run/systemd/resolve/netif"),
    async close() {
      await daemon?.close();
      await ground.close();
    },
  };
}

function resolvconfMachine(name: "resolvconf" | "openresolv"): CaseResolver {
  const ground = groundOf([name]);
  const records = name === "resolvconf" ? "/run/resolvconf/interface" : "/run/resolvconf";
  return {
    ...ground,
    by: "resolvconf",
    async open() {
      await ground.open();
      // what Debian's postinst and unit do
      if (name === "resolvconf")
        sh(
          "mkdir -p /run/resolvconf && ln -sfn /run/resolvconf/resolv.conf /etc/resolv.conf && resolvconf --enable-updates",
        );
      sh(`echo nameserver ${own} | resolvconf -a eth0.dhclient`);
    },
    asked: whoIsAsked,
    told: () => readFileSync(resolvConf, "utf8") + keptIn(records),
  };
}

/** An uplink `up0` to the machine's own server, a link of the tunnel's to those given, and packages that lie over it. */
function groundOf(names: readonly string[]) {
  let answering: Answering | undefined;
  let takeOff: (() => void) | undefined;
  return {
    ...{ link: linkName, own, given },
    async open() {
      takeOff = layOver(names);
      answering = await answerNames();
      sh("ip link set lo up");
      await answering.link("up0", [own]);
    },
    addLink: () => answering?.link(linkName, given),
    removeLink: () => void sh(`ip link del ${linkName}`),
    async close() {
      sh("ip link del up0");
      await answering?.close();
      takeOff?.();
    },
  };
}

function keptIn(folder: string): string {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files
    .map((file) => join(file.parentPath, file.name))
    .filter((path) => !path.endsWith("lock"))
    .sort()
    .map((path) => `${path}: ${readFileSync(path, "utf8")}\n`)
    .join("");
}

const unmarked: MarkedSockets = {
  udpOpen: () => ({ fd: -1 }),
  tcpOpen: () => -1,
};
