// The accounts of this machine, from passwd(5): people first, then what services run as, each by name.
import type { Account } from "../preload/bridge.ts";

/** login.defs(5): UID_MIN as every distribution sets it; 65534 is nobody's by the kernel's overflowuid. */
const firstPerson = 1000;
const nobody = 65_534;

export function parseAccounts(passwd: string): readonly Account[] {
  const found = new Map<number, Account>();
  for (const line of passwd.split("\n")) {
    const [name = "", , id = ""] = line.split(":");
    const uid = Number(id);
    // the first line of a uid is the one that getpwuid(3) answers with
    if (name !== "" && /^\d{1,10}$/.test(id) && uid < 0xffffffff && !found.has(uid)) found.set(uid, { uid, name });
  }
  const isPerson = ({ uid }: Account): boolean => uid >= firstPerson && uid !== nobody;
  return [...found.values()].sort(
    (a, b) => Number(isPerson(b)) - Number(isPerson(a)) || a.name.localeCompare(b.name, "en"),
  );
}
