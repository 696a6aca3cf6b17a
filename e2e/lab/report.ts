// The demo's report: what was done, what the watchers saw, and pictures of the window at that moment. report.json is for
// machines, report.html for people; both are written anew after every step, so a demo that is cut short still tells.
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export interface Check {
  readonly name: string;
  readonly passed: boolean;
  /** What was seen, in a sentence with its figures. */
  readonly evidence: string;
}

export interface Shot {
  readonly file: string;
  readonly caption: string;
}

export interface Report {
  check(name: string, passed: boolean, evidence: string): void;
  shot(file: string, caption: string): void;
  readonly checks: readonly Check[];
  readonly passed: boolean;
}

/** Opens a report in `dir` (made if missing). `say` gets each line as it comes. */
export function openReport(dir: string, say: (line: string) => void): Report {
  mkdirSync(dir, { recursive: true });
  const began = Date.now();
  const checks: Check[] = [];
  const screenshots: Shot[] = [];
  const save = (): void => {
    writeFileSync(join(dir, "report.json"), `${JSON.stringify({ checks, screenshots }, null, 2)}\n`);
    writeFileSync(join(dir, "report.html"), page(checks, screenshots, Date.now() - began));
  };
  save();
  return {
    checks,
    get passed() {
      return checks.length > 0 && checks.every((c) => c.passed);
    },
    check(name, passed, evidence) {
      checks.push({ name, passed, evidence });
      say(`${passed ? "  holds " : "  FAILS "} ${name}: ${evidence}`);
      save();
    },
    shot(file, caption) {
      screenshots.push({ file, caption });
      save();
    },
  };
}

function page(checks: readonly Check[], shots: readonly Shot[], tookMs: number): string {
  const failed = checks.filter((c) => !c.passed).length;
  const rows = checks
    .map(
      (c) =>
        `<tr class="${c.passed ? "ok" : "bad"}"><td>${c.passed ? "holds" : "fails"}</td><th>${escape(c.name)}</th><td>${escape(c.evidence)}</td></tr>`,
    )
    .join("\n");
  const pictures = shots
    .map(
      (s) =>
        `<figure><img src="${escape(s.file)}" alt="${escape(s.caption)}"><figcaption>${escape(s.caption)}</figcaption></figure>`,
    )
    .join("\n");
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Culvert demo</title><style>
:root { color-scheme: light dark; --ink: #121918; --ground: #f4f6f5; --line: #cbd2cf; --ok: #006556; --bad: #a3301f }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eeec; --ground: #161c1b; --line: #2b3432; --ok: #52c7b0; --bad: #f38d7c } }
body { font: 14px/1.5 "Liberation Sans", Arial, sans-serif; color: var(--ink); background: var(--ground); margin: 40px auto; max-width: 1080px; padding: 0 20px }
h1 { font-size: 34px; line-height: 1.15; margin: 0 0 4px } table { border-collapse: collapse; width: 100%; margin: 28px 0 }
td, th { text-align: left; vertical-align: top; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); font-weight: 400 } th { font-weight: 600; width: 34% }
.ok td:first-child { color: var(--ok); font-weight: 600 } .bad td:first-child { color: var(--bad); font-weight: 600 }
figure { margin: 0 0 28px } img { max-width: 100%; border: 1px solid var(--line); border-radius: 8px } figcaption { margin-top: 6px }
</style><h1>${failed === 0 ? `${checks.length} of ${checks.length} hold` : `${failed} of ${checks.length} fail`}</h1>
<p>Culvert in a small internet of network namespaces; the wires themselves counted. ${(tookMs / 1000).toFixed(0)} s.</p>
<table>${rows}</table>
${pictures}
</html>
`;
}

function escape(text: string): string {
  return text.replace(/[&<>"]/g, (c) => `&#${c.charCodeAt(0)};`);
}
