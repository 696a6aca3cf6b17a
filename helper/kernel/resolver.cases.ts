// What telling a resolver promises, tried on stand-ins that only remember (resolver.test.ts) and on the real programs with
// real questions (resolver.net.test.ts). A case sees who would be asked, and never how the tool was called.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";

import type { Address } from "../contract/prefix.ts";
import type { PlanDns } from "../plan/plan.ts";
import { entryFor, setResolver, undoResolver } from "./resolver.ts";

/** A machine whose names were asked of `own` before anything was told; `given` are a tunnel's. */
export interface CaseResolver {
  readonly by: "resolved" | "resolvconf";
  readonly link: string;
  readonly own: Address;
  readonly given: readonly [Address, Address];
  open(): Promise<void> | void;
  /** The server that a name is asked of. */
  asked(): Promise<string> | string;
  /** Everything that was told to it and may be left behind. */
  told(): string;
  /** The tunnel's link, in the state that Culvert makes it in; it may be there already. */
  addLink(): Promise<void> | void;
  removeLink(): void;
  close(): Promise<void> | void;
}

export function resolverCases(name: string, machine: CaseResolver): void {
  describe(name, () => {
    const dns = (...servers: Address[]): PlanDns => ({ by: machine.by, link: machine.link, servers });
    const [first, second] = machine.given;
    let before: string;
    beforeAll(() => machine.open());
    afterAll(() => machine.close());
    beforeEach(async () => {
      await machine.addLink();
      before = machine.told();
    });
    afterEach(async () => {
      machine.removeLink();
      await undoResolver(entryFor(dns(first), null));
    });

    test("names are asked of the tunnel's servers, and after undoing of the machine's own", async () => {
      expect(await machine.asked()).toBe(machine.own);
      const entry = entryFor(dns(first, second), null);
      await setResolver(entry, true);
      expect(await machine.asked()).toBe(first);
      await undoResolver(entry);
      expect(await machine.asked()).toBe(machine.own);
      expect(machine.told()).toBe(before);
    });

    test("servers told later take the place of the first", async () => {
      const earlier = entryFor(dns(first), null);
      await setResolver(earlier, true);
      const entry = entryFor(dns(second), earlier);
      await setResolver(entry, true);
      expect(await machine.asked()).toBe(second);
      await undoResolver(entry);
      expect(machine.told()).toBe(before);
    });

    test("undone twice, or never told, is no surprise", async () => {
      const entry = entryFor(dns(first), null);
      await undoResolver(entry);
      await setResolver(entry, true);
      await undoResolver(entry);
      await undoResolver(entry);
      expect(machine.told()).toBe(before);
      expect(await machine.asked()).toBe(machine.own);
    });

    test("a link made anew is told anew, each time", async () => {
      for (let round = 0; round < 10; round++) {
        machine.removeLink();
        await machine.addLink();
        await setResolver(entryFor(dns(first), null), true);
      }
      expect(await machine.asked()).toBe(first);
    });

    test("the link gone first, undoing leaves nothing behind", async () => {
      const entry = entryFor(dns(first), null);
      await setResolver(entry, true);
      machine.removeLink();
      await undoResolver(entry);
      expect(await machine.asked()).toBe(machine.own);
      await machine.addLink();
      expect(machine.told()).toBe(before);
    });
  });
}
