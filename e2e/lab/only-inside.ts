// Before each file of net tests: they change routes, rules and firewalls, and must never do so in the machine's own network,
// also when somebody runs vitest by hand without `node e2e/lab/enter.ts`.
import { requireInside } from "./enter.ts";

requireInside();
