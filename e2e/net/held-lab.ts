// Opens a lab, says so, and holds it until it is killed: for the test that nothing is left then.
import { internet } from "../lab/internet.ts";
import { openLab } from "../lab/lab.ts";

await openLab(internet({ cities: ["Harbourton"] }));
process.stdout.write("open\n");
